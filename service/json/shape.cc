#include "service/json/shape.h"

#include "service/json/sax.h"

namespace tokenrelay::json {
namespace {

constexpr std::string_view padding_key = "\"obfuscation\":\"";

}  // namespace

void Shape::learn(std::string_view text, std::string_view hole) {
  learnt_ = false;
  if (text.size() > max_bytes || hole.data() <= text.data() || hole.data() + hole.size() >= text.data() + text.size()) {
    return;
  }
  const auto at = static_cast<size_t>(hole.data() - text.data());
  std::string_view after = text.substr(at + hole.size());
  if (text[at - 1] != '"' || after.front() != '"') return;
  before_ = text.substr(0, at);
  const size_t key = after.rfind(padding_key);
  const size_t value = key == after.npos ? after.npos : key + padding_key.size();
  const size_t close = value == after.npos ? after.npos : find_special(after.substr(value)) + value;
  padded_ = close != after.npos && close < after.size() && after[close] == '"' && key > 0 &&
            (after[key - 1] == ',' || after[key - 1] == '{');
  end_ = padded_ ? after.substr(close) : std::string_view();
  after_ = padded_ ? after.substr(0, value) : after;
  learnt_ = true;
}

std::optional<std::string_view> Shape::match(std::string_view text) const {
  if (!learnt_ || text.size() > max_bytes || !text.starts_with(before_)) return std::nullopt;
  text.remove_prefix(before_.size());
  const size_t length = find_special(text);
  if (!matches_rest(text.substr(length))) return std::nullopt;
  return text.substr(0, length);
}

bool Shape::fits(std::string_view text, std::string_view hole) const {
  const auto at = static_cast<size_t>(hole.data() - text.data());
  return learnt_ && text.substr(0, at) == before_ && matches_rest(text.substr(at + hole.size()));
}

bool Shape::matches_rest(std::string_view rest) const {
  if (!padded_) return rest == after_;
  if (!rest.starts_with(after_)) return false;
  rest.remove_prefix(after_.size());
  return rest.substr(find_special(rest)) == end_;
}

}  // namespace tokenrelay::json
