// A neutral request's messages as Chat Completions takes them: as they came, without the words that were added to its
// own (prompt.h). Reasoning that an earlier turn showed is left out; a tool's `is_error`, for which there is no word,
// is said in its text.
#pragma once

#include <string>

namespace tokenrelay::upstream {

// Untouched, and not parsed, unless one of those words is in it.
std::string openai_messages(const std::string& messages);

}  // namespace tokenrelay::upstream
