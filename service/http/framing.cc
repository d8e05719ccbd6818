#include "service/http/framing.h"

#include <algorithm>
#include <array>

#include "service/http/grammar.h"

namespace tokenrelay::http {
namespace {

constexpr size_t chunk_line_bytes = 256;  // the size and its extensions

// Bytes allowed inside a line: all but control characters; CR and LF end it.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (int byte = 0; byte < 256; ++byte) plain[byte] = byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  return plain;
}
constexpr std::array<bool, 256> plain = make_plain();

size_t plain_run(std::string_view bytes) {
  size_t n = 0;
  while (n < bytes.size() && plain[static_cast<unsigned char>(bytes[n])]) ++n;
  return n;
}

}  // namespace

Framer::Framer(const FramingLimits& limits) : limits_(limits) {}

Framer::State Framer::state() const {
  switch (phase_) {
    case Phase::start_line:
      return line_.empty() && !cr_ ? State::empty : State::head;
    case Phase::header:
      return State::head;
    case Phase::done:
      return State::complete;
    case Phase::failed:
      return State::failed;
    default:
      return State::body;
  }
}

void Framer::fail(Code code, std::string detail) {
  phase_ = Phase::failed;
  error_ = {code, std::move(detail)};
}

size_t Framer::feed(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size() && phase_ != Phase::done && phase_ != Phase::failed) {
    bool in_body = phase_ == Phase::fixed_body || phase_ == Phase::chunk_data;
    at += in_body ? feed_body(bytes.substr(at)) : feed_line(bytes.substr(at));
  }
  return at;
}

size_t Framer::feed_body(std::string_view bytes) {
  size_t n = std::min<uint64_t>(bytes.size(), remaining_);
  wants_continue_ = false;
  request_.body.append(bytes.substr(0, n));
  remaining_ -= n;
  if (remaining_ == 0) phase_ = phase_ == Phase::chunk_data ? Phase::chunk_end : Phase::done;
  return n;
}

size_t Framer::line_room() const {
  bool chunk_line = phase_ == Phase::chunk_size || phase_ == Phase::chunk_end;
  size_t line = chunk_line ? chunk_line_bytes : limits_.line_bytes;
  size_t left = line - std::min(line, line_.size());
  if (chunk_line) return left;
  return std::min(left, limits_.head_bytes - std::min(limits_.head_bytes, section_bytes_ + line_.size()));
}

void Framer::line_too_long() {
  if (phase_ == Phase::start_line) return fail(Code::uri_too_long, "the request line is too long");
  if (phase_ == Phase::chunk_size || phase_ == Phase::chunk_end) {
    return fail(Code::invalid_request, "the size line of a chunk is too long");
  }
  fail(Code::head_too_large, "a header line is too long, or all headers together are");
}

// Takes one line, or the part that has arrived. Bytes are checked in order, so splits make no difference.
size_t Framer::feed_line(std::string_view bytes) {
  size_t at = 0;
  if (!cr_) {
    size_t room = line_room();
    at = plain_run(bytes.substr(0, room));
    line_.append(bytes.substr(0, at));
    if (at == bytes.size()) return at;
    char stop = bytes[at];
    if (plain[static_cast<unsigned char>(stop)]) {
      line_too_long();
      return at;
    }
    if (stop != '\r') {
      fail(Code::invalid_request,
           stop == '\n' ? "a line ends in LF without CR" : "the request contains a control character");
      return at;
    }
    cr_ = true;
    if (++at == bytes.size()) return at;
  }
  if (bytes[at] != '\n') {
    fail(Code::invalid_request, "the request contains a CR without LF");
    return at;
  }
  cr_ = false;
  section_bytes_ += line_.size() + 2;
  std::string line;
  line.swap(line_);
  on_line(line);
  line.clear();
  line_.swap(line);  // keeps the room for the next line
  return at + 1;
}

void Framer::on_line(std::string_view line) {
  wants_continue_ = false;
  switch (phase_) {
    case Phase::start_line:
      return on_start_line(line);
    case Phase::header:
      return line.empty() ? on_head_end() : on_header(line);
    case Phase::chunk_size:
      return on_chunk_size(line);
    case Phase::chunk_end:
      if (!line.empty()) return fail(Code::invalid_request, "a chunk is longer than its size says");
      phase_ = Phase::chunk_size;
      return;
    case Phase::trailer:
      return on_trailer(line);
    default:
      return;
  }
}

// Extensions are ignored (RFC 9112 7.1.1). At most sixteen digits and no white space, so that two parsers cannot
// disagree.
void Framer::on_chunk_size(std::string_view line) {
  std::string_view digits = line.substr(0, line.find(';'));
  if (digits.empty() || digits.size() > 16) return fail(Code::invalid_request, "the size of a chunk is malformed");
  uint64_t size = 0;
  for (char c : digits) {
    char l = to_lower(c);
    if (!is_digit(l) && (l < 'a' || l > 'f')) return fail(Code::invalid_request, "the size of a chunk is malformed");
    size = size << 4 | static_cast<uint64_t>(is_digit(l) ? l - '0' : l - 'a' + 10);
  }
  if (size > limits_.body_bytes - request_.body.size()) {
    return fail(Code::body_too_large, "the body is larger than " + std::to_string(limits_.body_bytes) + " bytes");
  }
  remaining_ = size;
  section_bytes_ = 0;
  phase_ = size == 0 ? Phase::trailer : Phase::chunk_data;
}

// Trailers are checked like headers and dropped: handlers must not see them as headers (RFC 9110 6.5.1).
void Framer::on_trailer(std::string_view line) {
  if (line.empty()) {
    phase_ = Phase::done;
    return;
  }
  if (++trailers_ > limits_.headers) return fail(Code::head_too_large, "too many trailers");
  if (!is_token(line.substr(0, line.find(':'))) || line.find(':') == std::string_view::npos) {
    fail(Code::invalid_request, "a trailer is malformed");
  }
}

}  // namespace tokenrelay::http
