; What heal reads in Go. Captures: see `Language::query`.

; Definitions
(function_declaration name: (identifier) @name parameters: (parameter_list) @parameters body: (block)? @body) @definition.function
(method_declaration receiver: (parameter_list) @owner name: (field_identifier) @name parameters: (parameter_list) @parameters body: (block)? @body) @definition.function
(short_var_declaration left: (expression_list . (identifier) @name .) right: (expression_list . (func_literal parameters: (parameter_list) @parameters body: (block) @body) .)) @definition.function
(source_file (var_declaration (var_spec name: (identifier) @name value: (expression_list . (func_literal parameters: (parameter_list) @parameters body: (block) @body) .)) @definition.function))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name value: (expression_list . (func_literal parameters: (parameter_list) @parameters body: (block) @body) .)) @definition.function)))
(type_declaration (type_spec name: (type_identifier) @name type: (struct_type) @body)) @definition.struct
(type_declaration (type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list (field_declaration !name type: (_) @bases))) @body)) @definition.struct
(type_declaration (type_spec name: (type_identifier) @name type: (interface_type) @body)) @definition.trait
(type_declaration (type_spec name: (type_identifier) @name)) @definition.alias
(type_declaration (type_alias name: (type_identifier) @name)) @definition.alias
(source_file (const_declaration (const_spec name: (identifier) @name) @definition.constant))
(source_file (var_declaration (var_spec name: (identifier) @name) @definition.constant))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @definition.constant)))
; A subtest is a call; its title is its name.
(call_expression
  function: (selector_expression field: (field_identifier) @run)
  arguments: (argument_list . (interpreted_string_literal (interpreted_string_literal_content) @name) . (func_literal body: (block) @body))
  (#eq? @run "Run")) @definition.function

; What a function says it gives back
(function_declaration name: (_) @result.name result: (_) @result.type)
(method_declaration name: (_) @result.name result: (_) @result.type)

; References
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (selector_expression operand: (_) @receiver field: (field_identifier) @name)) @reference.call
(call_expression function: (index_expression operand: (identifier) @name)) @reference.call
(selector_expression operand: (_) @receiver field: (field_identifier) @name) @reference.value
(qualified_type package: (_) @receiver name: (type_identifier) @name) @reference.type
((type_identifier) @name) @reference.type
((identifier) @name) @reference.value
(keyed_element key: (literal_element (identifier) @ignored))

; Imports
(import_spec) @import

; What a name is bound to, for guessing the type of a receiver
(short_var_declaration left: (expression_list . (identifier) @binding.name) right: (expression_list . (_) @binding.value))
(assignment_statement left: (expression_list . [(identifier) (selector_expression)] @binding.name) right: (expression_list . (_) @binding.value))
(var_spec name: (identifier) @binding.name type: (_) @binding.type)
(var_spec name: (identifier) @binding.name value: (expression_list . (_) @binding.value))
(parameter_declaration name: (identifier) @binding.name type: (_) @binding.type)
(field_declaration name: (field_identifier) @binding.name type: (_) @binding.type)
(range_clause left: (expression_list (identifier) @binding.name .) right: (_) @binding.value)

; Names of a function and where they are visible
(function_declaration parameters: (parameter_list) @local) @scope
(method_declaration receiver: (parameter_list) @local) @scope
(method_declaration parameters: (parameter_list) @local) @scope
(func_literal parameters: (parameter_list) @local) @scope
(function_declaration result: (parameter_list) @local) @scope
(method_declaration result: (parameter_list) @local) @scope
(statement_list (short_var_declaration left: (expression_list) @local)) @scope
(statement_list (var_declaration (var_spec name: (identifier) @local))) @scope
(statement_list (const_declaration (const_spec name: (identifier) @local))) @scope
(if_statement initializer: (short_var_declaration left: (expression_list) @local)) @scope
(for_statement (for_clause initializer: (short_var_declaration left: (expression_list) @local))) @scope
(for_statement (range_clause left: (expression_list) @local)) @scope
(expression_switch_statement initializer: (short_var_declaration left: (expression_list) @local)) @scope
(type_switch_statement alias: (expression_list) @local) @scope

; Literals, and the points of a function where faults like to sit
(interpreted_string_literal_content) @literal.string
(raw_string_literal_content) @literal.string
(int_literal) @literal.number
(float_literal) @literal.number
(return_statement) @point.result
(if_statement condition: (_) @point.condition)
(expression_case value: (_) @point.condition)
(for_statement (for_clause condition: (_) @point.loop))
(for_statement (range_clause) @point.loop)
(binary_expression) @point.operation
(assignment_statement) @point.operation
(inc_statement) @point.operation
(dec_statement) @point.operation
(index_expression) @point.operation
(slice_expression) @point.operation
