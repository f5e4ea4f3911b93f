; What JavaScript and TypeScript share. Captures: see `Language::query`.

; Definitions
(function_declaration name: (identifier) @name parameters: (formal_parameters) @parameters body: (statement_block) @body) @definition.function
(generator_function_declaration name: (identifier) @name parameters: (formal_parameters) @parameters body: (statement_block) @body) @definition.function
(method_definition name: (_) @name parameters: (formal_parameters) @parameters body: (statement_block) @body) @definition.function
(lexical_declaration (variable_declarator name: (identifier) @name value: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body))) @definition.function
(lexical_declaration (variable_declarator name: (identifier) @name value: (arrow_function parameter: (identifier) @parameters body: (_) @body))) @definition.function
(lexical_declaration (variable_declarator name: (identifier) @name value: (function_expression parameters: (formal_parameters) @parameters body: (_) @body))) @definition.function
(variable_declaration (variable_declarator name: (identifier) @name value: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body))) @definition.function
(variable_declaration (variable_declarator name: (identifier) @name value: (function_expression parameters: (formal_parameters) @parameters body: (_) @body))) @definition.function
(pair key: (property_identifier) @name value: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
(pair key: (property_identifier) @name value: (function_expression parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
(expression_statement (assignment_expression left: (member_expression property: (property_identifier) @name) right: (function_expression parameters: (formal_parameters) @parameters body: (_) @body))) @definition.function
(expression_statement (assignment_expression left: (member_expression property: (property_identifier) @name) right: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body))) @definition.function
(expression_statement (assignment_expression left: (member_expression property: (property_identifier) @name) right: (arrow_function parameter: (identifier) @parameters body: (_) @body))) @definition.function
(export_statement "default" @name value: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
(export_statement "default" @name value: (function_expression parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
; An object of functions stands for a type with one value.
(lexical_declaration (variable_declarator name: (identifier) @name value: (object [(method_definition) (pair value: [(arrow_function) (function_expression)])]) @body)) @definition.class
(variable_declaration (variable_declarator name: (identifier) @name value: (object [(method_definition) (pair value: [(arrow_function) (function_expression)])]) @body)) @definition.class
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.constant)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @definition.constant)
(program (export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.constant))

; A test is a call; its title is its name.
(call_expression
  function: [(identifier) @test (member_expression object: (identifier) @test) (call_expression function: (member_expression object: (identifier) @test))]
  arguments: (arguments . [(string (string_fragment) @name) (template_string (string_fragment) @name)] [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
  (#match? @test "^(it|test|specify|fit|xit|xtest|bench)$")) @definition.function
(call_expression
  function: [(identifier) @test (member_expression object: (identifier) @test) (call_expression function: (member_expression object: (identifier) @test))]
  arguments: (arguments . [(string (string_fragment) @name) (template_string (string_fragment) @name)] [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
  (#match? @test "^(describe|suite|context|fdescribe|xdescribe)$")) @definition.module
(call_expression
  function: (identifier) @name
  arguments: (arguments . [(arrow_function body: (_) @body) (function_expression body: (_) @body)])
  (#match? @name "^(before|after|beforeEach|afterEach|beforeAll|afterAll|setup|teardown)$")) @definition.function

; References
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (member_expression object: (_) @receiver property: (property_identifier) @name)) @reference.call
(new_expression constructor: (identifier) @name) @reference.call
(new_expression constructor: (member_expression object: (_) @receiver property: (property_identifier) @name)) @reference.call
(member_expression object: (_) @receiver property: (property_identifier) @name) @reference.value
((identifier) @name) @reference.value
((shorthand_property_identifier) @name) @reference.value

; Imports, and what gives names to other files
(import_statement) @import
(export_statement) @import
(variable_declarator value: (_)) @import
(expression_statement (assignment_expression left: (member_expression))) @import

; What a name is bound to, for guessing the type of a receiver
(variable_declarator name: (identifier) @binding.name value: (_) @binding.value)
(assignment_expression left: [(identifier) (member_expression)] @binding.name right: (_) @binding.value)
(for_in_statement left: (identifier) @binding.name right: (_) @binding.value)

; Names of a function and where they are visible
(function_declaration parameters: (formal_parameters) @local) @scope
(generator_function_declaration parameters: (formal_parameters) @local) @scope
(function_expression parameters: (formal_parameters) @local) @scope
(method_definition parameters: (formal_parameters) @local) @scope
(arrow_function parameters: (formal_parameters) @local) @scope
(arrow_function parameter: (identifier) @local) @scope
(statement_block (lexical_declaration (variable_declarator name: (_) @local))) @scope
(switch_case (lexical_declaration (variable_declarator name: (_) @local))) @scope
(variable_declaration (variable_declarator name: (_) @local))
(for_statement initializer: (lexical_declaration (variable_declarator name: (_) @local))) @scope
(for_in_statement left: (_) @local) @scope
(catch_clause parameter: (_) @local) @scope

; Literals, and the points of a function where faults like to sit
(string_fragment) @literal.string
(number) @literal.number
(return_statement) @point.result
(yield_expression) @point.result
(arrow_function body: (expression) @point.result)
(if_statement condition: (_) @point.condition)
(switch_case value: (_) @point.condition)
(ternary_expression condition: (_) @point.condition)
(while_statement condition: (_) @point.loop)
(do_statement condition: (_) @point.loop)
(for_statement condition: (_) @point.loop)
(for_in_statement right: (_) @point.loop)
(binary_expression) @point.operation
(augmented_assignment_expression) @point.operation
(update_expression) @point.operation
(subscript_expression) @point.operation
