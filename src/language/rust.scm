; What heal reads in Rust. Captures: see `Language::query`.

; Definitions
(function_item name: (identifier) @name parameters: (parameters) @parameters body: (block) @body) @definition.function
(function_signature_item name: (identifier) @name parameters: (parameters) @parameters) @definition.function
(struct_item name: (type_identifier) @name body: (_)? @body) @definition.struct
(union_item name: (type_identifier) @name body: (_) @body) @definition.struct
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(trait_item name: (type_identifier) @name body: (_) @body) @definition.trait
(impl_item trait: (_)? @bases type: (_) @name body: (declaration_list) @body) @definition.impl
(mod_item name: (identifier) @name body: (declaration_list) @body) @definition.module
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.constant
(type_item name: (type_identifier) @name) @definition.alias
(macro_definition name: (identifier) @name) @definition.macro

; References
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (scoped_identifier path: (_) @receiver name: (identifier) @name)) @reference.call
(call_expression function: (field_expression value: (_) @receiver field: (field_identifier) @name)) @reference.call
(call_expression function: (generic_function function: (identifier) @name)) @reference.call
(call_expression function: (generic_function function: (scoped_identifier path: (_) @receiver name: (identifier) @name))) @reference.call
(call_expression function: (generic_function function: (field_expression value: (_) @receiver field: (field_identifier) @name))) @reference.call
(macro_invocation macro: (identifier) @name) @reference.macro
(macro_invocation macro: (scoped_identifier path: (_) @receiver name: (identifier) @name)) @reference.macro
(scoped_identifier path: (_) @receiver name: (identifier) @name) @reference.value
(scoped_type_identifier path: (_) @receiver name: (type_identifier) @name) @reference.type
((type_identifier) @name) @reference.type
((field_identifier) @name) @reference.value
((identifier) @name) @reference.value
; Inside a macro's arguments there are only tokens: a name before `(` is a call.
(token_tree (identifier) @name . (token_tree) @arguments) @reference.token
(token_tree_pattern (_) @ignored)

; Imports
(use_declaration) @import

; What a name is bound to, for guessing the type of a receiver
(let_declaration pattern: (identifier) @binding.name value: (_) @binding.value)
(let_declaration pattern: (identifier) @binding.name type: (_) @binding.type)
(parameter pattern: (identifier) @binding.name type: (_) @binding.type)
(field_declaration name: (field_identifier) @binding.name type: (_) @binding.type)
(const_item name: (identifier) @binding.name type: (_) @binding.type)
(static_item name: (identifier) @binding.name type: (_) @binding.type)
(let_declaration pattern: (tuple_struct_pattern (identifier) @binding.name .) value: (_) @binding.value)
(let_condition pattern: (tuple_struct_pattern (identifier) @binding.name .) value: (_) @binding.value)
(for_expression pattern: (_) @binding.name value: (_) @binding.value)

; Names of a function and where they are visible
(function_item parameters: (parameters) @local) @scope
(closure_expression parameters: (closure_parameters) @local) @scope
(block (let_declaration pattern: (_) @local)) @scope
(for_expression pattern: (_) @local) @scope
(match_arm pattern: (match_pattern) @local) @scope
(if_expression condition: (let_condition pattern: (_) @local)) @scope
(if_expression condition: (let_chain (let_condition pattern: (_) @local))) @scope
(while_expression condition: (let_condition pattern: (_) @local)) @scope

; Literals, and the points of a function where faults like to sit
(string_content) @literal.string
(char_literal) @literal.string
(integer_literal) @literal.number
(float_literal) @literal.number
(return_expression) @point.result
(function_item body: (block (_) @point.result .))
(if_expression condition: (_) @point.condition)
(match_expression value: (_) @point.condition)
(match_arm) @point.condition
(while_expression condition: (_) @point.loop)
(for_expression value: (_) @point.loop)
(loop_expression) @point.loop
(binary_expression) @point.operation
(compound_assignment_expr) @point.operation
(index_expression) @point.operation
