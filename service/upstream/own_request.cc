#include "service/upstream/own_request.h"

#include <algorithm>

#include "service/json/sax.h"
#include "service/json/write.h"

namespace tokenrelay::upstream {
namespace {

// A protocol's list of turns, and how it writes one.
struct TurnStyle {
  std::string_view kind, list, assistant;
  bool has_parts;  // Google's {"role","parts":[{"text"}]}; else {"role","content"}
};
constexpr TurnStyle styles[] = {{"openai", "messages", "assistant", false},
                                {"anthropic", "messages", "assistant", false},
                                {"openai-responses", "input", "assistant", false},
                                {"gemini", "contents", "model", true}};

std::string written(const Turn& turn, const TurnStyle& style) {
  std::string out = "{\"role\":\"";
  out += turn.user ? "user" : style.assistant;
  out += style.has_parts ? "\",\"parts\":[{\"text\":" : "\",\"content\":";
  json::append_string(out, turn.text);
  return out + (style.has_parts ? "}]}" : "}");
}

void append_member(std::string& out, std::string_view name, std::string_view raw_value) {
  if (out.size() > 1) out += ',';
  json::append_string(out, name);
  out += ':';
  out += raw_value;
}

// Responses takes a text for its list, and a template in its place.
std::string as_items(const std::string& input) {
  if (input.starts_with('"')) return R"([{"role":"user","content":)" + input + "}]";
  return input.empty() || input == "null" ? "[]" : input;
}

}  // namespace

size_t OwnRequest::bytes() const {
  size_t bytes = sizeof *this + kind.size() + body.size() + query.size();
  for (const auto& [name, value] : headers) bytes += name.size() + value.size();
  return bytes;
}

std::string own_json(const OwnRequest& own) {
  std::string out = "{\"kind\":";
  json::append_string(out, own.kind);
  out += ",\"headers\":{";
  for (size_t i = 0; i < own.headers.size(); ++i) {
    if (i > 0) out += ',';
    json::append_string(out, own.headers[i].first);
    out += ':';
    json::append_string(out, own.headers[i].second);
  }
  out += "},\"query\":";
  json::append_string(out, own.query);
  return out + ",\"body\":" + own.body + "}";
}

std::optional<OwnRequest> read_own(std::string_view stored) {
  OwnRequest own;
  std::string scratch;
  json::Reader in(stored, scratch, json::deepest);
  in.object([&](std::string_view key) {
    if (key == "kind") {
      own.kind = std::string(in.string());
    } else if (key == "headers") {
      in.object([&](std::string_view header) {
        std::string name(header);
        own.headers.emplace_back(std::move(name), std::string(in.string()));
      });
    } else if (key == "query") {
      own.query = std::string(in.string());
    } else if (key == "body") {
      own.body = std::string(in.raw());
    }
  });
  if (!in.at_end() || own.kind.empty() || !own.body.starts_with('{')) return std::nullopt;
  return own;
}

// Whoever has said nothing, or only white space, has no turn: providers refuse an empty one.
bool append_turns(OwnRequest& own, const std::vector<Turn>& turns) {
  const auto style =
      std::find_if(std::begin(styles), std::end(styles), [&](const auto& one) { return one.kind == own.kind; });
  if (style == std::end(styles)) return turns.empty();
  std::string list(member_of(own.body, style->list));
  if (own.kind == "openai-responses") list = as_items(list);
  if (!list.starts_with('[')) return turns.empty();
  const size_t last = list.find_last_not_of(" \t\r\n", list.size() - 2);
  bool first = list[last] == '[';
  std::string longer = std::move(list);
  longer.pop_back();
  for (const auto& turn : turns) {
    if (turn.text.find_first_not_of(" \t\r\n") == turn.text.npos) continue;
    longer += (first ? "" : ",") + written(turn, *style);
    first = false;
  }
  longer += ']';
  own.body = with_members(own.body, {{style->list, longer}});
  return true;
}

std::string with_members(std::string_view object, std::initializer_list<Member> members) {
  std::string out = "{", scratch;
  out.reserve(object.size() + 200);
  std::vector<bool> written(members.size(), false);
  json::Reader in(object, scratch, json::deepest);
  in.object([&](std::string_view key) {
    const std::string name(key);
    const std::string_view value = in.raw();
    const auto set = std::find_if(members.begin(), members.end(), [&](const Member& one) { return one.first == name; });
    if (set == members.end()) return append_member(out, name, value);
    if (!set->second.empty()) append_member(out, name, set->second);
    written[static_cast<size_t>(set - members.begin())] = true;
  });
  for (size_t i = 0; i < members.size(); ++i) {
    const auto& [name, value] = *(members.begin() + i);
    if (!written[i] && !value.empty()) append_member(out, name, value);
  }
  return out + "}";
}

std::string_view member_of(std::string_view object, std::string_view name) {
  std::string scratch;
  std::string_view found;
  json::Reader in(object, scratch, json::deepest);
  in.object([&](std::string_view key) {
    if (key == name) found = in.raw();
  });
  return found;
}

}  // namespace tokenrelay::upstream
