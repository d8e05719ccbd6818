// One payload of the Gemini dialect: a GenerateContentResponse or an error (DIALECTS.md, Gemini: chunks).
//
// What it says is handed out as the raw JSON of its parts, views into the payload; a string is read where it is needed,
// with the reader's scratch. Candidates but the first are left out: no request asks for more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::upstream {

struct GeminiChunk {
  bool is_json = false;
  bool has_error = false;
  bool is_response = false;                                // it has a member of a GenerateContentResponse
  std::string_view parts;                                  // raw, of candidate 0
  std::optional<std::string> finish_reason, block_reason;  // of candidate 0; of the prompt
  std::string_view usage;                                  // raw
};
GeminiChunk read_gemini_chunk(std::string_view payload, std::string& scratch);

struct GeminiPart {
  enum class Kind { text, function_call, other } kind = Kind::other;
  bool is_thought = false;
  std::string_view text, signature;  // raw
  std::string id, name;              // function_call
  std::string_view args;             // raw; "": none
  bool is_partial = false;           // function_call: in pieces, as Vertex sends them if asked to
};
GeminiPart read_gemini_part(std::string_view raw, std::string& scratch);

// The counters that are there; each is what it has come to so far.
struct GeminiUsage {
  std::optional<uint64_t> prompt, tool_prompt, candidates, thoughts;
};
void read_gemini_usage(std::string_view raw, std::string& scratch, GeminiUsage& usage);

}  // namespace tokenrelay::upstream
