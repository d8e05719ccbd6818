#include "service/upstream/responses/event.h"

#include "service/json/sax.h"
#include "service/upstream/token_count.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;
using Kind = Reader::Kind;

// A string without escapes, as a view of the payload; "" for anything else.
std::string_view word(Reader& in) {
  if (in.peek() != Kind::string) {
    in.skip();
    return {};
  }
  const std::string_view quoted = in.raw();
  const bool plain = quoted.size() >= 2 && quoted.find('\\') == quoted.npos;
  return plain ? quoted.substr(1, quoted.size() - 2) : std::string_view();
}

std::string_view unless_null(Reader& in) {
  if (in.peek() != Kind::null) return in.raw();
  in.skip();
  return {};
}

Usage read_usage(Reader& in) {
  Usage usage;
  in.object([&](std::string_view key) {
    if (key == "input_tokens" || key == "prompt_tokens")  // the second is Chat's name
      update_count(usage.input_tokens, read_count(in));
    else if (key == "output_tokens" || key == "completion_tokens")
      update_count(usage.output_tokens, read_count(in));
    else
      read_details(in, key, usage);
  });
  return usage;
}

std::optional<int64_t> read_sequence(Reader& in, std::string_view& raw) {
  raw = in.raw();
  std::string none;
  return Reader(raw, none).integer();
}

}  // namespace

ResponsesEvent read_responses_event(std::string_view payload, std::string& scratch) {
  ResponsesEvent event;
  Reader in(payload, scratch);
  const bool is_object = in.peek() == Kind::object;
  in.object([&](std::string_view key) {
    if (key == "type")
      event.type = word(in);
    else if (key == "delta")
      event.delta = unless_null(in);
    else if (key == "sequence_number")
      event.sequence = read_sequence(in, event.raw_sequence);
    else if (key == "output_index")
      event.output_index = in.integer();
    else if (key == "content_index" || key == "summary_index")
      event.part_index = in.integer().value_or(0);
    else if (key == "item_id")
      event.item_id = word(in);
    else if (key == "text" || key == "refusal")
      event.text = unless_null(in);
    else if (key == "arguments")
      event.arguments = unless_null(in);
    else if (key == "input")
      event.input = unless_null(in);
    else if (key == "name")
      event.name = unless_null(in);
    else if (key == "item")
      event.item = unless_null(in);
    else if (key == "response")
      event.response = unless_null(in);
    else if (key == "error")
      event.error = unless_null(in);
    else if (key == "object")
      event.object = word(in);
  });
  event.is_json = is_object && in.at_end();
  return event;
}

ResponsesItem read_responses_item(std::string_view raw, std::string& scratch) {
  ResponsesItem item;
  Reader in(raw, scratch);
  if (in.peek() != Kind::object) return item;
  in.object([&](std::string_view key) {
    if (key == "type")
      item.type = word(in);
    else if (key == "id")
      item.id = unless_null(in);
    else if (key == "call_id")
      item.call_id = unless_null(in);
    else if (key == "name")
      item.name = unless_null(in);
    else if (key == "arguments")
      item.arguments = unless_null(in);
    else if (key == "input")
      item.input = unless_null(in);
    else if (key == "content")
      item.content = unless_null(in);
    else if (key == "summary")
      item.summary = unless_null(in);
    else if (key == "encrypted_content")
      item.encrypted = unless_null(in);
  });
  return item;
}

ResponsesState read_responses_state(std::string_view raw, std::string& scratch) {
  ResponsesState state;
  Reader in(raw, scratch);
  if (in.peek() != Kind::object) return state;
  in.object([&](std::string_view key) {
    if (key == "id")
      state.id = word(in);
    else if (key == "status")
      state.status = word(in);
    else if (key == "output")
      state.output = unless_null(in);
    else if (key == "error")
      state.error = unless_null(in);
    else if (key == "usage" && in.peek() == Kind::object)
      state.usage = read_usage(in);
    else if (key == "incomplete_details" && in.peek() == Kind::object)
      in.object([&](std::string_view name) {
        if (name == "reason") state.incomplete_reason = std::string(in.string());
      });
  });
  return state;
}

std::string_view responses_text(std::string_view raw, std::string& scratch) {
  Reader in(raw, scratch);
  if (in.peek() == Kind::string) return in.string();
  if (in.peek() != Kind::object) return {};
  std::string_view inside;
  in.object([&](std::string_view key) {
    if ((key == "text" || key == "content" || key == "delta") && in.peek() == Kind::string) inside = in.raw();
  });
  if (inside.empty()) return {};
  Reader string(inside, scratch);
  return string.string();
}

}  // namespace tokenrelay::upstream
