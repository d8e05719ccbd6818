// What a FakeUpstream does with one request, step by step, and ready-made scripts for the usual cases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tokenrelay::support {

struct Step {
  enum class Kind { send, send_endless, wait_ms, wait_signal, stall, cut, close } kind;
  std::string bytes;           // send; send_endless repeats them until the peer closes; wait_signal: its name
  std::vector<size_t> splits;  // offsets in `bytes` where a new write begins
  int64_t ms = 0;              // wait_ms; between the writes of a split send
};
using Script = std::vector<Step>;
using HeaderFields = std::vector<std::pair<std::string, std::string>>;

namespace script {

Step send(std::string bytes);
Step send_split(std::string bytes, std::vector<size_t> at, int64_t pause_ms = 1);
Step send_every_byte(std::string bytes);
Step send_endless(std::string bytes);
Step wait(int64_t ms);
Step wait_signal(std::string name);
Step stall();  // says nothing until the peer closes
Step cut();    // RST
Step close();  // FIN; without one a script's end waits for the next request

enum class Framing { chunked, until_close };
std::string head(int status = 200, const std::string& content_type = "text/event-stream",
                 Framing framing = Framing::chunked, const HeaderFields& more = {});
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
Script raw_stream(std::string sse);                                                 // one chunk, clean end
Script text_stream(const std::vector<std::string>& deltas, int64_t pause_ms = 0);   // with finish, usage and [DONE]
Script numbered_stream(int deltas, int64_t pause_ms);                               // "w0 ", "w1 ", …
Script fixture(const std::string& path);                                            // INDEX.md, framing A
Script refusal(int status, const std::string& body, const HeaderFields& more = {},
               const std::string& content_type = "application/json");
Script in_stream_error(const std::vector<std::string>& deltas, std::string_view error_json);
Script truncated(const std::vector<std::string>& deltas, Step how);  // cut() or close()
Script silent();                                                     // takes the request, never answers

std::vector<std::string> fixture_lines(const std::string& path);

}  // namespace script
}  // namespace tokenrelay::support
