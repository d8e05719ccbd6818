// What a ModelServer does with one call, step by step, and ready-made scripts and bytes for the usual cases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_connection.h"

namespace tokenrelay::support {
namespace script {

struct Step {
  enum class Kind { send, send_endless, pause, stall, cut, close } kind;
  std::string bytes;           // send; send_endless repeats them until the peer closes
  std::vector<size_t> splits;  // offsets in `bytes` where a new write begins
  int64_t ms = 0;              // pause; between the writes of a split send
};

}  // namespace script

using Script = std::vector<script::Step>;

namespace script {

Step send(std::string bytes);
Step send_split(std::string bytes, std::vector<size_t> at, int64_t pause_ms = 1);
Step send_every_byte(std::string bytes);
Step send_endless(std::string bytes);
Step pause(int64_t ms);
Step stall();  // says nothing until the peer closes
Step cut();    // RST
Step close();  // FIN; a script that ends without one leaves the connection open for the next call

enum class Framing { chunked, until_close };
std::string head(int status = 200, const std::string& content_type = "text/event-stream",
                 Framing framing = Framing::chunked, const Fields& more = {});
std::string chunk(std::string_view bytes);
inline const std::string last_chunk = "0\r\n\r\n";

// Chat chunks.
std::string event(std::string_view payload);  // "data: …\n\n"
std::string delta_payload(std::string_view delta_json, std::string_view finish_reason = "");
std::string text_payload(std::string_view text);  // escaped
std::string finish_payload(std::string_view reason = "stop");
std::string usage_payload(int input_tokens, int output_tokens);
inline const std::string done = "data: [DONE]\n\n";

// Whole answers.
Script stream_of(const std::vector<std::string>& payloads, bool with_done = true);  // chunked, then the next request
Script raw_stream(const std::string& sse);                                          // one chunk, clean end
Script text_stream(const std::vector<std::string>& deltas, int64_t pause_ms = 0);   // with finish, usage and [DONE]
Script numbered_stream(int deltas, int64_t pause_ms);                               // "w0 ", "w1 ", …
Script fixture(const std::string& path);                                            // INDEX.md, framing A
Script refusal(int status, const std::string& body, const Fields& more = {},
               const std::string& content_type = "application/json");
Script in_stream_error(const std::vector<std::string>& deltas, std::string_view error_json);
Script truncated(const std::vector<std::string>& deltas, Step how);  // cut() or close()
Script silent();                                                     // takes the request, never answers

std::vector<std::string> fixture_lines(const std::string& path);

}  // namespace script
}  // namespace tokenrelay::support
