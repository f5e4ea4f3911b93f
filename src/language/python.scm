; What heal reads in Python. Captures: see `Language::query`.

; Definitions
(function_definition name: (identifier) @name parameters: (parameters) @parameters body: (block) @body) @definition.function
(class_definition name: (identifier) @name superclasses: (argument_list)? @bases body: (block) @body) @definition.class
(module (expression_statement (assignment left: (identifier) @name)) @definition.constant)
(module (expression_statement (assignment left: (pattern_list (identifier) @name))) @definition.constant)
(class_definition body: (block (expression_statement (assignment left: (identifier) @name)) @definition.constant))
(type_alias_statement left: (type (identifier) @name)) @definition.alias

; References
(call function: (identifier) @name) @reference.call
(call function: (attribute object: (_) @receiver attribute: (identifier) @name)) @reference.call
(decorator (identifier) @name) @reference.call
(attribute object: (_) @receiver attribute: (identifier) @name) @reference.value
(type (identifier) @name) @reference.type
((identifier) @name) @reference.value
(keyword_argument name: (identifier) @ignored)

; Imports
(import_statement) @import
(import_from_statement) @import

; What a name is bound to, for guessing the type of a receiver
(assignment left: [(identifier) (attribute)] @binding.name right: (_) @binding.value)
(assignment left: [(identifier) (attribute)] @binding.name type: (type) @binding.type)
(typed_parameter . (identifier) @binding.name type: (type) @binding.type)
(typed_default_parameter name: (identifier) @binding.name type: (type) @binding.type)
(named_expression name: (identifier) @binding.name value: (_) @binding.value)
(as_pattern (call) @binding.value alias: (as_pattern_target (identifier) @binding.name))
(for_statement left: (_) @binding.name right: (_) @binding.value)

; Names of a function and where they are visible
(function_definition parameters: (parameters) @local) @scope
(lambda parameters: (lambda_parameters) @local) @scope
(function_definition name: (identifier) @local body: (_))
(assignment left: (_) @local)
(augmented_assignment left: (_) @local)
(named_expression name: (identifier) @local)
(for_statement left: (_) @local)
(as_pattern_target (_) @local)
(list_comprehension (for_in_clause left: (_) @local)) @scope
(set_comprehension (for_in_clause left: (_) @local)) @scope
(dictionary_comprehension (for_in_clause left: (_) @local)) @scope
(generator_expression (for_in_clause left: (_) @local)) @scope
(case_pattern (_) @local)
(global_statement (identifier) @outer.global)
(nonlocal_statement (identifier) @outer.function)

; Literals, and the points of a function where faults like to sit
(string_content) @literal.string
(integer) @literal.number
(float) @literal.number
(return_statement) @point.result
(yield) @point.result
(if_statement condition: (_) @point.condition)
(elif_clause condition: (_) @point.condition)
(while_statement condition: (_) @point.loop)
(for_statement right: (_) @point.loop)
(if_clause) @point.condition
(conditional_expression) @point.condition
(comparison_operator) @point.operation
(boolean_operator) @point.operation
(binary_operator) @point.operation
(augmented_assignment) @point.operation
(subscript) @point.operation
