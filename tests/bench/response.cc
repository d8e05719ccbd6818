#include "tests/bench/response.h"

#include <charconv>
#include <cstring>
#include <utility>

namespace tokenrelay::bench {
namespace {

// Servers here write the names in one of two ways.
std::string_view header(std::string_view head, std::string_view name, std::string_view lower) {
  for (const auto each : {name, lower}) {
    const size_t at = head.find(each);
    if (at == head.npos) continue;
    const size_t from = at + each.size();
    return head.substr(from, head.find('\r', from) - from);
  }
  return {};
}

}  // namespace

bool Response::take_head(std::string_view& bytes, ResponseSink& sink) {
  const size_t known = line_.size();
  line_ += bytes;
  const size_t end = line_.find("\r\n\r\n", known < 3 ? 0 : known - 3);
  if (end == line_.npos) {
    bytes = {};
    return line_.size() < (64 << 10);
  }
  bytes.remove_prefix(end + 4 - known);
  line_.resize(end + 2);
  if (!line_.starts_with("HTTP/1.1 ")) return false;
  int status = 0;
  std::from_chars(line_.data() + 9, line_.data() + 12, status);
  const auto length = header(line_, "\r\nContent-Length: ", "\r\ncontent-length: ");
  const bool chunked = header(line_, "\r\nTransfer-Encoding: ", "\r\ntransfer-encoding: ") == "chunked";
  left_ = 0;
  std::from_chars(length.data(), length.data() + length.size(), left_);
  state_ = chunked ? State::chunk_size : length.empty() ? State::endless : left_ > 0 ? State::sized : State::head;
  sink.on_head(status, line_);
  std::string().swap(line_);
  if (state_ == State::head) sink.on_complete();
  return true;
}

bool Response::take_line(std::string_view& bytes) {
  if (line_done_) line_.clear();
  const auto* const end = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
  line_done_ = end != nullptr;
  const size_t size = line_done_ ? static_cast<size_t>(end - bytes.data()) : bytes.size();
  line_.append(bytes.data(), size);
  bytes.remove_prefix(line_done_ ? size + 1 : size);
  if (line_done_ && line_.ends_with('\r')) line_.pop_back();
  return line_done_;
}

void Response::body(std::string_view& bytes, ResponseSink& sink) {
  const size_t size = std::min<uint64_t>(left_, bytes.size());
  left_ -= size;
  const auto part = bytes.substr(0, size);
  bytes.remove_prefix(size);
  sink.on_body(part);
}

bool Response::finish(ResponseSink& sink) {
  if (state_ == State::endless) sink.on_complete();
  return state_ == State::endless || (state_ == State::head && line_.empty());
}

bool Response::feed(std::string_view bytes, ResponseSink& sink) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::head:
        if (!take_head(bytes, sink)) return false;
        break;
      case State::sized:
        body(bytes, sink);
        if (left_ > 0) break;
        state_ = State::head;
        sink.on_complete();
        break;
      case State::endless:
        sink.on_body(std::exchange(bytes, {}));
        break;
      case State::chunk_size: {
        if (!take_line(bytes)) break;
        const auto [stop, error] = std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
        if (error != std::errc()) return false;
        state_ = left_ > 0 ? State::chunk_data : State::trailer;
        break;
      }
      case State::chunk_data:
        body(bytes, sink);
        if (left_ == 0) state_ = State::chunk_end;
        break;
      case State::chunk_end:
        if (take_line(bytes)) state_ = State::chunk_size;
        break;
      case State::trailer:
        if (!take_line(bytes) || !line_.empty()) break;
        state_ = State::head;
        line_done_ = false;
        sink.on_complete();
        break;
    }
  }
  return true;
}

}  // namespace tokenrelay::bench
