; What heal reads in Java. Captures: see `Language::query`.

; Definitions
(class_declaration name: (identifier) @name superclass: (superclass (_) @bases)? body: (class_body) @body) @definition.class
(class_declaration name: (identifier) @name interfaces: (super_interfaces (type_list (_) @bases)) body: (class_body) @body) @definition.class
(record_declaration name: (identifier) @name parameters: (formal_parameters) @parameters body: (class_body) @body) @definition.class
(interface_declaration name: (identifier) @name body: (interface_body) @body) @definition.trait
(enum_declaration name: (identifier) @name body: (enum_body) @body) @definition.enum
(annotation_type_declaration name: (identifier) @name body: (_) @body) @definition.trait
(method_declaration name: (identifier) @name parameters: (formal_parameters) @parameters body: (block)? @body) @definition.function
(constructor_declaration name: (identifier) @name parameters: (formal_parameters) @parameters body: (constructor_body) @body) @definition.function
(compact_constructor_declaration name: (identifier) @name body: (block) @body) @definition.function
(class_body (field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant)
(interface_body (constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant)
(enum_body_declarations (field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant)

; What a method says it gives back
(method_declaration type: (_) @result.type name: (identifier) @result.name)

; References
(method_invocation !object name: (identifier) @name) @reference.call
(method_invocation object: (_) @receiver name: (identifier) @name) @reference.call
(object_creation_expression type: (type_identifier) @name) @reference.call
(object_creation_expression type: (generic_type (type_identifier) @name)) @reference.call
(method_reference . (_) @receiver (identifier) @name .) @reference.value
(field_access object: (_) @receiver field: (identifier) @name) @reference.value
((type_identifier) @name) @reference.type
((identifier) @name) @reference.value
(marker_annotation name: (identifier) @ignored)
(annotation name: (identifier) @ignored)

; Imports
(import_declaration) @import

; What a name is bound to, for guessing the type of a receiver
(local_variable_declaration type: (_) @binding.type declarator: (variable_declarator name: (identifier) @binding.name))
(local_variable_declaration declarator: (variable_declarator name: (identifier) @binding.name value: (_) @binding.value))
(field_declaration type: (_) @binding.type declarator: (variable_declarator name: (identifier) @binding.name))
(formal_parameter type: (_) @binding.type name: (identifier) @binding.name)
(enhanced_for_statement type: (_) @binding.type name: (identifier) @binding.name)
(assignment_expression left: [(identifier) (field_access)] @binding.name right: (_) @binding.value)

; Names of a function and where they are visible
(method_declaration parameters: (formal_parameters) @local) @scope
(constructor_declaration parameters: (formal_parameters) @local) @scope
(lambda_expression parameters: (_) @local) @scope
(block (local_variable_declaration declarator: (variable_declarator name: (identifier) @local))) @scope
(constructor_body (local_variable_declaration declarator: (variable_declarator name: (identifier) @local))) @scope
(switch_block_statement_group (local_variable_declaration declarator: (variable_declarator name: (identifier) @local))) @scope
(for_statement init: (local_variable_declaration declarator: (variable_declarator name: (identifier) @local))) @scope
(enhanced_for_statement name: (identifier) @local) @scope
(catch_clause (catch_formal_parameter name: (identifier) @local)) @scope
(try_with_resources_statement (resource_specification (resource name: (identifier) @local))) @scope

; Literals, and the points of a function where faults like to sit
(string_fragment) @literal.string
(character_literal) @literal.string
(decimal_integer_literal) @literal.number
(decimal_floating_point_literal) @literal.number
(return_statement) @point.result
(if_statement condition: (_) @point.condition)
(ternary_expression condition: (_) @point.condition)
(switch_label) @point.condition
(while_statement condition: (_) @point.loop)
(do_statement condition: (_) @point.loop)
(for_statement condition: (_) @point.loop)
(enhanced_for_statement value: (_) @point.loop)
(binary_expression) @point.operation
(update_expression) @point.operation
(array_access) @point.operation
