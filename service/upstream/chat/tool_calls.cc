#include "service/upstream/chat/tool_calls.h"

#include <algorithm>

#include "service/json/utf8.h"
#include "service/text/ascii.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_calls = 1024, max_held_bytes = 8u << 20;

}  // namespace

void JsonEnd::add(std::string_view piece) {
  for (const char c : piece) {
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '"') {
      in_string_ = begun_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
      begun_ = true;
    } else if (c == '}' || c == ']') {
      --depth_;
    }
  }
}

// The latest call that the piece may belong to; null: it begins a new one.
ChatToolCalls::ToolCall* ChatToolCalls::find(const ToolPiece& piece) {
  const auto latest = [&](auto fits) -> ToolCall* {
    const auto found = std::find_if(calls_.rbegin(), calls_.rend(), fits);
    return found == calls_.rend() ? nullptr : &*found;
  };
  if (!piece.id.empty()) {
    const auto same_id = [&](const ToolCall& call) {
      return call.id == piece.id && call.choice == piece.choice && (!piece.index || call.index == *piece.index);
    };
    if (ToolCall* const call = latest(same_id)) return call;
  }
  ToolCall* const call = latest(
      [&](const ToolCall& one) { return one.choice == piece.choice && (!piece.index || one.index == *piece.index); });
  const bool others = !piece.index && call && !piece.id.empty() && !call->id.empty();  // told apart by ids alone
  return call && !others && continues(*call, piece) ? call : nullptr;
}

// A piece without the call's own id.
bool ChatToolCalls::continues(const ToolCall& call, const ToolPiece& piece) {
  if (piece.name.empty() || call.name.empty()) return !(call.named_again && !piece.arguments.empty());
  if (piece.name != call.name) return false;
  if (call.end.whole() && piece.arguments.empty() && piece.id.empty()) return true;  // what follows will tell
  const bool other_id = !piece.id.empty() && !call.id.empty();
  const bool begun = call.end.begun();
  return begun ? !call.end.whole() : !other_id;
}

// The next of several calls of one tool may begin with the name alone; its arguments come without.
ChatToolCalls::ToolCall& ChatToolCalls::add(const ToolPiece& piece) {
  const bool named_before = !calls_.empty() && calls_.back().named_again && piece.name.empty();
  const std::string name = named_before ? calls_.back().name : std::string();
  ToolCall& call = calls_.emplace_back();
  call.choice = piece.choice;
  call.index = piece.index.value_or(-1);
  call.name = name;
  return call;
}

bool ChatToolCalls::take(const ToolPiece& piece) {
  ToolCall* call = find(piece);
  const bool opens = !call;
  if (opens && calls_.size() == max_calls) return false;
  if (opens) call = &add(piece);
  if (call->id.empty() && !hold(call->id, json::repaired(piece.id))) return false;
  if (call->name.empty() && !hold(call->name, json::repaired(piece.name))) return false;
  call->named_again = !piece.name.empty() && call->end.whole();
  std::string_view arguments = piece.arguments;
  if (call->holds_braces && !text::strip(arguments).empty()) {
    call->holds_braces = false;
    call->end = JsonEnd();
  }
  call->end.add(arguments);
  if (opens && text::strip(arguments) == "{}") {
    call->holds_braces = true;
    arguments = {};
  }
  const std::string_view whole = call->joiner.next(arguments, joined_);
  if (!call->name.empty()) return tell(*call, whole);
  return hold(call->held, whole);
}

int ChatToolCalls::goes_on(const ToolPiece& piece) {
  const ToolCall* const call = find(piece);
  return call && !call->holds_braces ? call->number : -1;
}

bool ChatToolCalls::hold(std::string& into, std::string_view bytes) {
  held_bytes_ += bytes.size();
  if (held_bytes_ > max_held_bytes) return false;
  into += bytes;
  return true;
}

// The first piece has the call's id and name; later pieces do not.
bool ChatToolCalls::tell(ToolCall& call, std::string_view arguments) {
  transport::Lifeline::Watch watch(line_);
  if (call.number >= 0) {
    if (!arguments.empty()) handler_.on_tool_call(call.number, {}, {}, arguments);
    return !watch.gone();
  }
  call.number = told_++;
  std::string first = std::exchange(call.held, {});
  held_bytes_ -= first.size();
  first += arguments;
  const std::string id = call.id, name = call.name;  // the handler may destroy the answer
  handler_.on_tool_call(call.number, id, name, first);
  return !watch.gone();
}

bool ChatToolCalls::flush() {
  for (auto& call : calls_) {
    if (call.number < 0) continue;
    const std::string_view rest = std::exchange(call.holds_braces, false) ? "{}" : call.joiner.flush();
    if (!tell(call, rest)) return false;
  }
  return true;
}

bool ChatToolCalls::any_nameless() const {
  return std::any_of(calls_.begin(), calls_.end(), [](const ToolCall& call) { return call.number < 0; });
}

}  // namespace tokenrelay::upstream
