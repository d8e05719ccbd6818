#include "service/terminal/events.h"

#include <charconv>

namespace tokenrelay {
namespace {

constexpr size_t longest = 4 << 20;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

}  // namespace

bool ChatEvents::feed(std::string_view bytes) {
  for (const char c : bytes) {
    const bool second_half = after_cr_ && c == '\n';  // of CRLF
    after_cr_ = c == '\r';
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      line(partial_);
      partial_.clear();
    } else if (partial_.size() + data_.size() >= longest) {
      return false;
    } else {
      partial_ += c;
    }
  }
  return true;
}

void ChatEvents::reconnected() {
  partial_.clear();
  type_.clear();
  data_.clear();
  id_ = last_id_;
  has_data_ = after_cr_ = false;
  first_line_ = true;
}

void ChatEvents::line(std::string_view text) {
  if (first_line_ && text.substr(0, byte_order_mark.size()) == byte_order_mark)
    text.remove_prefix(byte_order_mark.size());
  first_line_ = false;
  if (text.empty()) return dispatch();
  if (text.front() == ':') return;
  const size_t colon = text.find(':');
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (field == "event") {
    type_ = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    id_ = value;
  } else if (field == "retry") {
    int64_t ms = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
    if (error == std::errc() && end == value.data() + value.size() && ms >= 0) retry_ms_ = ms;
  }
}

void ChatEvents::dispatch() {
  last_id_ = id_;
  if (has_data_) on_event_({type_, data_, last_id_});
  type_.clear();
  data_.clear();
  has_data_ = false;
}

}  // namespace tokenrelay
