; What heal reads in TypeScript, beside `ecmascript.scm`.

; Definitions
(class_declaration name: (type_identifier) @name (class_heritage (extends_clause value: (_) @bases))? body: (class_body) @body) @definition.class
(class_declaration name: (type_identifier) @name (class_heritage (implements_clause (_) @bases)) body: (class_body) @body) @definition.class
(abstract_class_declaration name: (type_identifier) @name (class_heritage (implements_clause (_) @bases)) body: (class_body) @body) @definition.class
(abstract_class_declaration name: (type_identifier) @name (class_heritage (extends_clause value: (_) @bases))? body: (class_body) @body) @definition.class
(class name: (type_identifier) @name (class_heritage (extends_clause value: (_) @bases))? body: (class_body) @body) @definition.class
(public_field_definition name: (_) @name value: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
(class_body (public_field_definition name: (_) @name) @definition.constant)
(interface_declaration name: (type_identifier) @name (extends_type_clause type: (_) @bases)? body: (_) @body) @definition.trait
(type_alias_declaration name: (type_identifier) @name) @definition.alias
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(internal_module name: (identifier) @name body: (statement_block) @body) @definition.module
(function_signature name: (identifier) @name parameters: (formal_parameters) @parameters) @definition.function
(abstract_method_signature name: (_) @name parameters: (formal_parameters) @parameters) @definition.function
(interface_body (method_signature name: (_) @name parameters: (formal_parameters) @parameters) @definition.function)

; What a function says it gives back
(function_declaration name: (_) @result.name return_type: (type_annotation (_) @result.type))
(method_definition name: (_) @result.name return_type: (type_annotation (_) @result.type))
(function_signature name: (_) @result.name return_type: (type_annotation (_) @result.type))
(method_signature name: (_) @result.name return_type: (type_annotation (_) @result.type))
(variable_declarator name: (_) @result.name value: (arrow_function return_type: (type_annotation (_) @result.type)))

; References
((type_identifier) @name) @reference.type

; What a name is bound to
(variable_declarator name: (identifier) @binding.name type: (type_annotation (_) @binding.type))
(required_parameter pattern: (identifier) @binding.name type: (type_annotation (_) @binding.type))
(optional_parameter pattern: (identifier) @binding.name type: (type_annotation (_) @binding.type))
(public_field_definition name: (_) @binding.name type: (type_annotation (_) @binding.type))
(public_field_definition name: (_) @binding.name value: (_) @binding.value)
