#pragma once

namespace tokenrelay::json {

// How deep what was accepted once may nest when it is read again: the most that limits.json_depth allows (512), and what
// a translation may put around it.
inline constexpr int deepest = 600;

}  // namespace tokenrelay::json
