#pragma once

namespace tokenrelay::json {

// Depth limit for reading JSON that was accepted before: the largest limits.json_depth (512), plus the levels that a
// translation may add around it.
inline constexpr int deepest = 600;

}  // namespace tokenrelay::json
