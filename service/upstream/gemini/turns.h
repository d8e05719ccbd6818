// A prompt's messages as `systemInstruction` and `contents` of the Gemini dialect (DIALECTS.md, Gemini).
//
// All system messages become the instruction. Adjacent messages of one role are one turn; the results of several tool
// calls are one user turn, as the API counts them. A result's function is found by its tool_call_id; its response is
// the result's text if that is a JSON object, else {"result":TEXT}, or {"error":TEXT}. Signatures go back on the part
// they arrived on. Gemini 3 refuses a history in which a turn's first function call has none, so calls of other models
// get Google's documented placeholder. Left out: empty text without a signature, and the reasoning of earlier turns.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/upstream/prompt.h"

namespace tokenrelay::upstream {

struct GeminiContents {
  json::Value system = json::Value::array();    // parts
  json::Value contents = json::Value::array();  // turns
};
tl::expected<GeminiContents, UnsupportedField> gemini_contents(const Prompt& prompt, std::string_view model);

bool is_gemini_3(std::string_view model);

}  // namespace tokenrelay::upstream
