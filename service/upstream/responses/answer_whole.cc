// What repeats as a whole what was said: an item at its end, and the response's output.
#include <algorithm>

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/upstream/responses/answer.h"

namespace tokenrelay::upstream {
namespace {

std::vector<std::string_view> elements(std::string_view raw, std::string& scratch) {
  std::vector<std::string_view> all;
  json::Reader in(raw, scratch);
  if (in.peek() == json::Reader::Kind::array) in.array([&] { all.push_back(in.raw()); });
  return all;
}

// The texts of an item's `content` or `summary`, one for each part, "" for a part of another kind.
std::vector<std::string> texts(std::string_view raw, std::string& scratch) {
  std::vector<std::string> all;
  for (const std::string_view part : elements(raw, scratch)) {
    std::string_view text;
    json::Reader in(part, scratch);
    if (in.peek() == json::Reader::Kind::object) {
      in.object([&](std::string_view key) {
        if (key == "text" || key == "refusal") text = in.raw();
      });
    }
    all.emplace_back(responses_text(text, scratch));
  }
  return all;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += text;
  return all;
}

}  // namespace

bool ResponsesAnswer::settle(OpenItem& item, const ResponsesItem& content) {
  switch (item.kind) {
    case ItemKind::message:
      return settle_parts(item, Voice::text, content.content);
    case ItemKind::reasoning:
      return settle_parts(item, Voice::summary, content.summary) &&
             settle_parts(item, Voice::reasoning, content.content) && settle_opaque(content);
    case ItemKind::call:
      return name_call(item, content.name) &&
             say_arguments(item, content.arguments.empty() ? content.input : content.arguments, true);
    default:
      return true;
  }
}

// Compared with all that the item has said, since its parts may have had other indexes while they came.
bool ResponsesAnswer::settle_parts(OpenItem& item, Voice voice, std::string_view raw) {
  if (voice != Voice::text && item.voice.value_or(voice) != voice) return true;
  const std::vector<std::string> parts = texts(raw, scratch_);
  const std::string whole = joined(parts);
  const auto rest = item.said.rest_of(whole);
  if (!rest || rest->empty()) return true;
  item.joiner.flush();  // half a character, which the rest has whole
  size_t known = whole.size() - rest->size();
  for (const std::string& part : parts) {
    const size_t said = std::min(known, part.size());
    known -= said;
    const int64_t index = said > 0 ? item.part : item.part + 1;
    if (!say_part(item, voice, index, std::string_view(part).substr(said), false)) return false;
  }
  return true;
}

bool ResponsesAnswer::settle_opaque(const ResponsesItem& content) {
  const std::string data(responses_text(content.encrypted, scratch_));
  if (data.empty()) return true;
  said_opaque_ = true;
  std::string opaque = R"({"provider":"openai-responses","type":"encrypted_reasoning","id":)";
  json::append_string(opaque, responses_text(content.id, scratch_));
  opaque += ",\"data\":";
  json::append_string(opaque, data);
  opaque += '}';
  transport::Lifeline::Watch watch(line_);
  handler_.on_opaque(opaque);
  return !watch.gone();
}

// Some servers give the items in a response new indexes and ids, so they are not matched one by one: the text is
// compared as a whole, reasoning counts only if none was said, and calls if there are more of them than were said.
bool ResponsesAnswer::take_output(std::string_view raw) {
  const bool reasoning = !said_reasoning_, opaque = !said_opaque_;
  std::vector<ResponsesItem> all;
  for (const std::string_view element : elements(raw, scratch_)) all.push_back(read_responses_item(element, scratch_));
  const auto calls = std::count_if(all.begin(), all.end(),
                                   [](const ResponsesItem& item) { return kind_of_item(item.type) == ItemKind::call; });
  const bool more_calls = calls > tools_;
  std::string text;
  for (const ResponsesItem& content : all) {
    const ItemKind kind = kind_of_item(content.type);
    if (kind == ItemKind::other) note_other(content.type);
    if (kind == ItemKind::message) text += joined(texts(content.content, scratch_));
    if (kind == ItemKind::call && !settle_call(content, more_calls)) return false;
    if (kind != ItemKind::reasoning) continue;
    OpenItem* const item = reasoning ? items_.add({.kind = kind}) : nullptr;
    too_large_ |= reasoning && !item;
    if (item && !settle_parts(*item, Voice::summary, content.summary)) return false;
    if (item && !settle_parts(*item, Voice::reasoning, content.content)) return false;
    if (opaque && !settle_opaque(content)) return false;
  }
  return settle_answer(text);
}

bool ResponsesAnswer::settle_answer(std::string_view text) {
  const auto rest = text_.rest_of(text);
  if (!rest || rest->empty()) return true;
  OpenItem* const item = items_.add({.kind = ItemKind::message});
  too_large_ |= !item;
  return !item || say_part(*item, Voice::text, 0, *rest, false);
}

// A call that was not named yet gets its name here, by its id or else by its arguments.
bool ResponsesAnswer::settle_call(const ResponsesItem& content, bool may_be_new) {
  const std::string id(responses_text(content.id, scratch_)), call_id(responses_text(content.call_id, scratch_));
  const auto named = [&](const OpenItem& item) {
    const auto is = [&](const std::string& word) { return !word.empty() && (word == id || word == call_id); };
    return item.is_call() && (is(item.id) || is(item.call_id));
  };
  auto item = std::find_if(items_.begin(), items_.end(), named);
  if (item == items_.end()) {
    const std::string arguments(
        responses_text(content.arguments.empty() ? content.input : content.arguments, scratch_));
    item = std::find_if(items_.begin(), items_.end(), [&](const OpenItem& other) {
      return other.is_call() && other.number < 0 && other.said.rest_of(arguments);
    });
  }
  if (item != items_.end()) {
    items_.learn(*item, {.call_id = call_id});
    return settle(*item, content);
  }
  if (!may_be_new) return true;
  OpenItem* const added = items_.add({.kind = ItemKind::call, .id = id, .call_id = call_id});
  too_large_ |= !added;
  return !added || settle(*added, content);
}

}  // namespace tokenrelay::upstream
