// What the demo model says: a readable answer about the prompt, the same each time for the same prompt.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tokenrelay::upstream {

// The text of the last user message (parts of type "text" joined), at most 2 KiB of it; "" if there is none.
std::string last_user_text(std::string_view messages);

// About 200 pieces of the size that a model's tokens have.
std::vector<std::string> demo_answer(std::string_view prompt);

// A text in token-like pieces: a word with the space before it, long words in two or more. Never splits a code point.
std::vector<std::string> token_pieces(std::string_view text);

size_t count_words(std::string_view text);

}  // namespace tokenrelay::upstream
