// A neutral request's messages as Chat Completions takes them: unchanged, except for what the neutral format adds
// (prompt.h). The reasoning of earlier turns is left out; a tool's `is_error`, which Chat Completions does not have,
// becomes "Error: " before its text.
#pragma once

#include <string>

namespace tokenrelay::upstream {

// Not even parsed unless it contains one of these additions.
std::string openai_messages(const std::string& messages);

}  // namespace tokenrelay::upstream
