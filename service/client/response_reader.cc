#include "service/client/response_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "service/client/http_head.h"
#include "service/text/ascii.h"

namespace tokenrelay::client {
namespace {

constexpr std::string_view version = "HTTP/1.";

// All of `text` as an unsigned number; nullopt if it is not one or does not fit.
std::optional<uint64_t> number(std::string_view text, int base) {
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

bool has_token(std::string_view list, std::string_view token) {
  for (;;) {
    const size_t comma = list.find(',');
    if (text::same_text(text::trim(list.substr(0, comma)), token)) return true;
    if (comma == list.npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

ResponseReader::Piece ResponseReader::next(std::string_view& input) {
  for (;;) {
    switch (state_) {
      case State::length:
      case State::until_close:
      case State::chunk:
        return body(input);
      case State::over:
        return {Kind::end, {}};
      case State::broken:
        return {Kind::bad, {}};
      default:
        break;
    }
    const auto line = take_line(input);
    if (!line && state_ != State::broken) return {Kind::more, {}};
    if (!line) continue;
    const bool in_head = state_ == State::status || state_ == State::fields;
    if (!(in_head ? take_in_head(*line) : take_in_body(*line))) state_ = State::broken;
    if (std::exchange(head_ended_, false)) return {Kind::head, {}};
  }
}

ResponseReader::Piece ResponseReader::body(std::string_view& input) {
  if (input.empty()) return {Kind::more, {}};
  const Piece piece{Kind::body, state_ == State::until_close ? input : input.substr(0, left_)};
  input.remove_prefix(piece.bytes.size());
  if (state_ == State::until_close) return piece;
  left_ -= piece.bytes.size();
  if (left_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::over;
  return piece;
}

// The next line without its end, which may be a bare LF (RFC 9112 2.2).
std::optional<std::string_view> ResponseReader::take_line(std::string_view& input) {
  if (std::exchange(line_whole_, false)) line_ = std::string();
  const bool sized = state_ == State::size || state_ == State::chunk_end;
  const size_t limit = sized ? max_size_line : head_left_;
  const size_t room = limit - line_.size();
  const size_t at = input.substr(0, room).find('\n');
  if (at == input.npos) {
    line_ += input.substr(0, room);
    const size_t seen = std::min(line_.size(), version.size());
    const bool no_http = state_ == State::status && line_.substr(0, seen) != version.substr(0, seen);
    if (input.size() >= room || no_http) state_ = State::broken;
    input = {};
    return std::nullopt;
  }
  std::string_view line = input.substr(0, at);
  input.remove_prefix(at + 1);
  if (!sized) head_left_ -= line_.size() + at + 1;
  if (!line_.empty()) {
    line_ += line;
    line = line_;
    line_whole_ = true;
  }
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool ResponseReader::take_in_head(std::string_view line) {
  if (line.find_first_of(std::string_view("\r\0", 2)) != line.npos) return false;
  if (state_ == State::status) return take_status(line);
  return line.empty() ? end_head() : take_field(line);
}

// HTTP/1.1 200 OK
bool ResponseReader::take_status(std::string_view line) {
  if (line.substr(0, version.size()) != version || line.size() < 12) return false;
  const std::string_view code = line.substr(9, 3);
  if (!text::is_digit(line[7]) || line[8] != ' ' || code[0] < '1' ||
      !std::all_of(code.begin(), code.end(), text::is_digit))
    return false;
  if (line.size() > 12 && line[12] != ' ') return false;
  take_head_line(head_, line, 0);
  keeps_ = line[7] != '0';
  chunked_ = framing_field_ = false;
  content_length_.reset();
  state_ = State::fields;
  return true;
}

bool ResponseReader::take_field(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') return !framing_field_;  // folded: the rest is not needed
  const size_t colon = line.find(':');
  if (colon == line.npos) return false;
  const std::string_view name = text::trim(line.substr(0, colon));
  if (name.empty()) return false;
  if (!take_framing(name, text::trim(line.substr(colon + 1)))) return false;
  if (!framing_field_) take_head_line(head_, line, clock_.wall_ms());
  return true;
}

bool ResponseReader::take_framing(std::string_view name, std::string_view value) {
  framing_field_ = true;
  if (text::same_text(name, "content-length")) {
    const auto length = number(value, 10);
    if (!length || content_length_.value_or(*length) != *length) return false;
    content_length_ = length;
  } else if (text::same_text(name, "transfer-encoding")) {
    if (text::same_text(value, "identity")) return true;  // servers before RFC 7230 send it for no coding
    if (!text::same_text(value, "chunked")) return false;
    if (chunked_) keeps_ = false;  // a server that says it twice means it once, but is not to be trusted further
    chunked_ = true;
  } else if (text::same_text(name, "connection")) {
    if (has_token(value, "close")) keeps_ = false;
  } else {
    framing_field_ = false;
  }
  return true;
}

bool ResponseReader::end_head() {
  if (head_.status == 101) return false;  // the client never asks for another protocol
  if (head_.status < 200) {
    state_ = State::status;
    return true;
  }
  head_ended_ = true;
  line_ = std::string();
  line_whole_ = false;
  if (head_.status == 204 || head_.status == 304) {
    state_ = State::over;
  } else if (chunked_) {
    if (content_length_) keeps_ = false;
    state_ = State::size;
  } else if (content_length_) {
    left_ = *content_length_;
    state_ = left_ > 0 ? State::length : State::over;
  } else {
    keeps_ = false;
    state_ = State::until_close;
  }
  return true;
}

bool ResponseReader::take_in_body(std::string_view line) {
  if (state_ == State::size) return take_size(line);
  if (state_ == State::chunk_end) {
    state_ = State::size;
    return line.empty();
  }
  if (line.empty()) state_ = State::over;  // the end of the trailers
  return true;
}

// 1a3;extension=value
bool ResponseReader::take_size(std::string_view line) {
  const auto size = number(text::trim(line.substr(0, line.find(';'))), 16);
  if (!size) return false;
  left_ = *size;
  state_ = left_ > 0 ? State::chunk : State::trailers;
  return true;
}

}  // namespace tokenrelay::client
