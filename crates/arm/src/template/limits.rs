//! Every limit on what a template may cost, in one place.
//!
//! Azure's own limits are used where there is one. The others keep a hostile template from using the host's
//! memory, stack or hours; each is far above what real templates need.

/// Iterations of one copy loop; Azure's limit.
pub const COPY_COUNT_MAX: i64 = 800;
/// Resources of one template, copies counted; Azure's limit.
pub const RESOURCES_MAX: usize = 800;
/// Characters of one expression; Azure's limit.
pub const EXPRESSION_CHARS_MAX: usize = 24_576;
/// Characters of one string that an expression makes; Azure's limit.
pub const TEXT_CHARS_MAX: usize = 131_072;
/// Numbers that `range` makes; Azure's limit.
pub const RANGE_COUNT_MAX: i64 = 10_000;
/// Calls, accessors and parentheses inside one another in one expression.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// Evaluations inside one another: a variable that uses a variable that calls a function, and so on. An
/// unoptimised build needs less than 1 MiB of stack for this many, half of what a thread has.
pub const EVALUATION_DEPTH_MAX: usize = 192;
/// Deployments inside one another.
pub const DEPLOYMENT_DEPTH_MAX: usize = 12;
/// Deployments of one evaluation, all levels together.
pub const DEPLOYMENTS_MAX: usize = 2_000;
/// Resources of one evaluation, all deployments together.
pub const RESOURCES_TOTAL_MAX: usize = 20_000;
/// Values one value may hold, counted through all its levels.
pub const VALUE_NODES_MAX: usize = 1_000_000;
/// Arrays and objects inside one another in a value that expressions make.
pub const VALUE_DEPTH_MAX: usize = 160;
/// Steps of one evaluation. A call is one step; long strings and lists cost more.
pub const STEPS_MAX: u64 = 8_000_000;
/// Problems kept; the rest are counted in a last one.
pub const PROBLEMS_MAX: usize = 1_000;
/// Characters of the text of an unknown's expression; longer ones are cut and end in a hash.
pub const UNKNOWN_TEXT_CHARS_MAX: usize = 2_000;
/// Reasons one unknown names.
pub const REASONS_MAX: usize = 8;
