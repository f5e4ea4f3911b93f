; What heal reads in JavaScript alone, beside `ecmascript.scm`.

(class_declaration name: (identifier) @name (class_heritage (_) @bases)? body: (class_body) @body) @definition.class
(class name: (identifier) @name (class_heritage (_) @bases)? body: (class_body) @body) @definition.class
(field_definition property: (_) @name value: (arrow_function parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
(field_definition property: (_) @name value: (function_expression parameters: (formal_parameters) @parameters body: (_) @body)) @definition.function
(class_body (field_definition property: (_) @name) @definition.constant)
(field_definition property: (_) @binding.name value: (_) @binding.value)
(class_heritage (identifier) @name) @reference.type
