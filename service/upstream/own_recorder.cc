#include "service/upstream/own_recorder.h"

#include <algorithm>

#include "service/json/joiner.h"
#include "service/json/utf8.h"
#include "service/json/write.h"
#include "service/upstream/secrets.h"

namespace tokenrelay::upstream {
namespace {

// What is longer is stored as an event: as a shape it would cost as much, and one that a delta is split under would be
// sent twice.
constexpr size_t max_piece_bytes = 4 << 10, max_shape_bytes = 8 << 10;

bool is_unit(std::string_view escape, std::string_view second_digits) {
  const char digit = static_cast<char>(escape[3] | 0x20);
  return escape[0] == '\\' && escape[1] == 'u' && (escape[2] | 0x20) == 'd' &&
         second_digits.find(digit) != second_digits.npos;
}

// A provider may cut a character in two: the neutral events then have it in the second delta, whole.
bool cuts_character(std::string_view piece) {
  constexpr size_t escape = 6;  // \uD83D
  if (piece.size() >= escape) {
    if (is_unit(piece.substr(0, escape), "cdef") || is_unit(piece.substr(piece.size() - escape), "89ab")) return true;
  }
  return !json::valid_utf8(piece);
}

bool is_broken(std::string_view text) {
  return text.find_first_of("\r\n") != text.npos || !json::valid_utf8(text);
}

// As valid UTF-8 on one line. A line break between two values of JSON is white space, and none stands inside a string.
std::string on_one_line(std::string_view payload) {
  std::string line = json::repaired(payload);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return line;
}

// Inside a string the quotes would be escaped.
bool tells_error(std::string_view json) {
  for (size_t at = json.find("\"error\""); at != json.npos; at = json.find("\"error\"", at + 1)) {
    const size_t next = json.find_first_not_of(" :", at + std::string_view("\"error\"").size());
    if (next != json.npos && !json.substr(next).starts_with("null")) return true;
  }
  return false;
}

}  // namespace

bool OwnRecorder::event(std::string_view payload, bool shows, std::string_view number) {
  if (!on()) return true;
  shaped_ = false;
  payload = without_number(payload, number);
  std::string line = json::escaped(is_broken(payload) ? on_one_line(payload) : std::string(payload));
  if (tells_error(line)) line = without_secrets(std::move(line), *options_);
  return hand_on({OwnEvent::Op::event, line, {}, 0, {}, {}}, shows);
}

bool OwnRecorder::delta(std::string_view payload, const Piece& piece, std::string_view number) {
  if (!on()) return true;
  const bool plain = !piece.said.empty() && piece.said.size() <= max_piece_bytes && !cuts_character(piece.said);
  if (!plain || payload.size() - piece.said.size() > max_shape_bytes) return event(payload, true, number);
  std::string_view said = piece.said;
  if (!number.empty()) {
    const size_t from_end = static_cast<size_t>(payload.data() + payload.size() - said.data());
    const bool is_behind = number.data() > said.data();
    const size_t old_size = payload.size();
    payload = without_number(payload, number);
    const size_t cut = old_size - payload.size();
    said = payload.substr(payload.size() - from_end + (is_behind ? cut : 0), said.size());
  }
  if (goes_on(payload, {said, piece.voice, piece.call})) return true;
  const auto at = static_cast<size_t>(said.data() - payload.data());
  const std::string before = json::escaped(std::string(payload.substr(0, at)));
  const std::string after = json::escaped(std::string(payload.substr(at + said.size())));
  if (is_broken(before) || is_broken(after)) return event(payload, true);
  shape_.learn(payload, said);
  shaped_ = true;
  voice_ = piece.voice;
  call_ = piece.call;
  return hand_on({OwnEvent::Op::shape, {}, voice_, static_cast<uint64_t>(call_), before, after}, false);
}

bool OwnRecorder::goes_on(std::string_view payload, const Piece& piece) const {
  return shaped_ && voice_ == piece.voice && call_ == piece.call && shape_.fits(payload, piece.said);
}

// Without the member "sequence_number", whose value `number` is.
std::string_view OwnRecorder::without_number(std::string_view payload, std::string_view number) {
  constexpr std::string_view key = "\"sequence_number\"";
  if (number.empty()) return payload;
  const auto value = static_cast<size_t>(number.data() - payload.data());
  size_t from = payload.rfind(key, value);
  if (from == payload.npos) return payload;
  size_t to = payload.find_first_not_of(" \t\r\n", value + number.size());
  if (to == payload.npos) return payload;
  if (payload[to] == ',') {
    ++to;
  } else if (const size_t comma = payload.find_last_not_of(" \t\r\n", from - 1);
             comma != payload.npos && payload[comma] == ',') {
    from = comma;  // the last member
  }
  unnumbered_.assign(payload.substr(0, from));
  unnumbered_ += payload.substr(to);
  return unnumbered_;
}

bool OwnRecorder::hand_on(const OwnEvent& event, bool shows) {
  shown_ |= shows;
  transport::Lifeline::Watch watch(line_);
  handler_.on_own(encode_own(event), shows);
  return !watch.gone();
}

}  // namespace tokenrelay::upstream
