// Pieces of a GenerateContentResponse, for the stream and for the whole answer (CLIENTS.md, Gemini).
#pragma once

#include <string>

#include "service/surface/gemini/encoder.h"
#include "service/surface/transcript.h"

namespace tokenrelay::surface {

// Appends {"candidates":[{"content":{"parts":[PARTS],"role":"model"} …. `parts` are JSON objects with commas between;
// `finish_reason` and `usage` are left out if empty; `tail` is gemini_tail()'s.
void append_gemini_chunk(std::string& out, std::string_view parts, std::string_view finish_reason,
                         std::string_view usage, std::string_view tail);

// `"modelVersion":…,"responseId":…`
std::string gemini_tail(const GeminiFacts& facts);

// Appends {"text":…}, for a thought with "thought":true.
void append_gemini_text(std::string& out, std::string_view text, bool is_thought);

// A {"functionCall":…} part with its signature, if there is one; "" if the arguments are not a JSON object.
std::string gemini_call_part(std::string_view id, std::string_view name, std::string_view arguments,
                             const std::string& signature);

std::string gemini_finish_reason(const Done& done, bool has_malformed_call);
std::string gemini_usage(const Done& done);  // a JSON object; "" if the upstream did not count

}  // namespace tokenrelay::surface
