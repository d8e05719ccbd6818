// One payload of the Gemini dialect: a GenerateContentResponse or an error (DIALECTS.md, Gemini: chunks).
//
// Its parts are given as raw JSON, views into the payload; a string is read where it is needed, with the reader's
// scratch. Only the first candidate is read: the relay never asks for more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::upstream {

struct GeminiChunk {
  bool is_json = false;
  bool has_error = false;                                  // "error" says nothing where it is null, false or empty
  bool is_response = false;                                // it has a member of a GenerateContentResponse
  std::string_view parts, error;                           // raw, of candidate 0
  std::optional<std::string> finish_reason, block_reason;  // of candidate 0; of the prompt
  std::string id;                                          // at most 256 bytes; "": not said
  std::string finish_message;                              // what the model did wrong, beside some finish reasons
  bool is_grounded = false;                                // it cites what it rests on
  std::string_view usage;                                  // raw
};
// A response inside {"response":…} is read as if it stood alone.
GeminiChunk read_gemini_chunk(std::string_view payload, std::string& scratch);

struct GeminiPart {
  enum class Kind { text, function_call, other } kind = Kind::other;
  bool is_thought = false;
  std::string_view text, signature;  // raw
  std::string type;                  // other: the part's own word
  std::string id, name;              // function_call
  std::string args;                  // "" if there are none
  bool is_partial = false;           // function_call: in pieces, which Vertex sends on request
};
GeminiPart read_gemini_part(std::string_view raw, std::string& scratch);

// The counters that were sent; each is the sum so far.
struct GeminiUsage {
  std::optional<uint64_t> prompt, cached, tool_prompt, candidates, thoughts;  // cached: a part of prompt
  std::optional<uint64_t> prompt_audio, candidates_audio;                     // parts of those
};
void read_gemini_usage(std::string_view raw, std::string& scratch, GeminiUsage& usage);

}  // namespace tokenrelay::upstream
