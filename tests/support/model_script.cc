#include "tests/support/model_script.h"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

namespace tokenrelay::support::script {

using Kind = Step::Kind;

Step send(std::string bytes) {
  return {Kind::send, std::move(bytes), {}, 0};
}
Step send_split(std::string bytes, std::vector<size_t> at, int64_t pause_ms) {
  return {Kind::send, std::move(bytes), std::move(at), pause_ms};
}
Step send_every_byte(std::string bytes) {
  std::vector<size_t> at(bytes.empty() ? 0 : bytes.size() - 1);
  std::iota(at.begin(), at.end(), size_t{1});
  return {Kind::send, std::move(bytes), std::move(at), 0};
}
Step send_endless(std::string bytes) {
  return {Kind::send_endless, std::move(bytes), {}, 0};
}
Step pause(int64_t ms) {
  return {Kind::pause, {}, {}, ms};
}
Step stall() {
  return {Kind::stall, {}, {}, 0};
}
Step cut() {
  return {Kind::cut, {}, {}, 0};
}
Step close() {
  return {Kind::close, {}, {}, 0};
}

std::string head(int status, const std::string& content_type, Framing framing, const Fields& more) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Status\r\nContent-Type: " + content_type + "\r\n";
  out += framing == Framing::chunked ? "Transfer-Encoding: chunked\r\n" : "Connection: close\r\n";
  for (const auto& [name, value] : more) out += name + ": " + value + "\r\n";
  return out + "\r\n";
}

std::string chunk(std::string_view bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + std::string(bytes) + "\r\n";
}

std::string event(std::string_view payload) {
  return "data: " + std::string(payload) + "\n\n";
}

std::string delta_payload(std::string_view delta_json, std::string_view finish_reason) {
  const std::string finish = finish_reason.empty() ? "null" : '"' + std::string(finish_reason) + '"';
  return R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" +
         std::string(delta_json) + R"(,"finish_reason":)" + finish + "}]}";
}

std::string text_payload(std::string_view text) {
  return delta_payload(nlohmann::json{{"content", std::string(text)}}.dump());
}

std::string finish_payload(std::string_view reason) {
  return delta_payload("{}", reason);
}

std::string usage_payload(int input_tokens, int output_tokens) {
  return nlohmann::json{{"id", "chatcmpl-1"},
                        {"choices", nlohmann::json::array()},
                        {"usage", {{"prompt_tokens", input_tokens}, {"completion_tokens", output_tokens}}}}
      .dump();
}

Script stream_of(const std::vector<std::string>& payloads, bool with_done) {
  Script steps = {send(head())};
  for (const std::string& payload : payloads) steps.push_back(send(chunk(event(payload))));
  steps.push_back(send((with_done ? chunk(done) : "") + last_chunk));
  return steps;
}

Script raw_stream(const std::string& sse) {
  return {send(head() + chunk(sse) + last_chunk)};
}

Script text_stream(const std::vector<std::string>& deltas, int64_t pause_ms) {
  Script steps = {send(head() + chunk(event(delta_payload(R"({"role":"assistant","content":""})"))))};
  for (const std::string& delta : deltas) {
    if (pause_ms > 0) steps.push_back(pause(pause_ms));
    steps.push_back(send(chunk(event(text_payload(delta)))));
  }
  const int count = static_cast<int>(deltas.size());
  steps.push_back(
      send(chunk(event(finish_payload())) + chunk(event(usage_payload(3, count))) + chunk(done) + last_chunk));
  return steps;
}

Script numbered_stream(int deltas, int64_t pause_ms) {
  std::vector<std::string> words;
  for (int i = 0; i < deltas; ++i) words.push_back("w" + std::to_string(i) + " ");
  return text_stream(words, pause_ms);
}

std::vector<std::string> fixture_lines(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("no fixture " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

Script fixture(const std::string& path) {
  return stream_of(fixture_lines(path));
}

Script refusal(int status, const std::string& body, const Fields& more, const std::string& content_type) {
  std::string answer = "HTTP/1.1 " + std::to_string(status) + " No\r\nContent-Type: " + content_type +
                       "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const auto& [name, value] : more) answer += name + ": " + value + "\r\n";
  return {send(answer + "\r\n" + body)};
}

Script in_stream_error(const std::vector<std::string>& deltas, std::string_view error_json) {
  Script steps = {send(head())};
  for (const std::string& delta : deltas) steps.push_back(send(chunk(event(text_payload(delta)))));
  steps.push_back(send(chunk(event("{\"error\":" + std::string(error_json) + "}")) + chunk(done) + last_chunk));
  return steps;
}

Script truncated(const std::vector<std::string>& deltas, Step how) {
  Script steps = {send(head())};
  for (const std::string& delta : deltas) steps.push_back(send(chunk(event(text_payload(delta)))));
  steps.push_back(pause(20));  // so that an RST does not overtake what was sent
  steps.push_back(std::move(how));
  return steps;
}

Script silent() {
  return {stall()};
}

}  // namespace tokenrelay::support::script
