#include "service/api/stream_json.h"

#include "service/json/write.h"
#include "service/relay/start_event.h"

namespace tokenrelay::api {
namespace {

using json::Value;

Value object_or(const std::string& text, Value otherwise) {
  auto parsed = json::parse(text);
  return parsed && parsed->is_object() ? std::move(*parsed) : std::move(otherwise);
}

Value member_or_null(const Value& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() ? Value() : *it;
}

void add_facts(Value& out, const storage::StreamRow& row, std::string_view status, int64_t updated_ms) {
  out["id"] = row.stream_id;
  out["status"] = std::string(status);
  out["model"] = row.model;
  out["provider"] = row.provider;
  out["created_at"] = relay::rfc3339(row.created_ms);
  out["updated_at"] = relay::rfc3339(updated_ms);
}

// finish_reason, usage and error are in the terminal event.
void add_ending(Value& out, const std::string& done, const storage::StreamRow& row) {
  const Value ending = object_or(done, Value::object());
  out["finish_reason"] = member_or_null(ending, "finish_reason");
  for (const char* optional : {"finish_reason_raw", "stop_sequence", "upstream_request_id", "upstream_response_id"}) {
    if (ending.contains(optional)) out[optional] = ending[optional];
  }
  out["usage"] = member_or_null(ending, "usage");
  out["error"] = member_or_null(ending, "error");
  out["metadata"] = object_or(row.metadata, Value::object());
}

}  // namespace

std::string stream_path(const std::string& stream_id) {
  return "/v1/streams/" + stream_id;
}

http::Reply json_reply(int status, const json::Value& value) {
  return {status, {{"Cache-Control", "no-store"}}, json::dump(value), "application/json"};
}

Value created_json(const relay::Stream& stream) {
  const std::string path = stream_path(stream.id());
  return Value{{"id", stream.id()},
               {"status", std::string(stream.status())},
               {"model", stream.row().model},
               {"created_at", relay::rfc3339(stream.row().created_ms)},
               {"events_url", path + "/events"},
               {"control_url", path + "/ws"}};
}

ListRow::ListRow(storage::StreamRow stored, const relay::Stream* live) : row(std::move(stored)) {
  if (live != nullptr) row = live->row();
  status = live ? live->status() : std::string_view(row.status);
  updated_ms = live ? live->updated_ms() : (row.finished_ms ? row.finished_ms : row.created_ms);
  ended = live ? live->ended() : !row.status.empty();
}

Value list_row_json(const ListRow& listed) {
  Value out = Value::object();
  add_facts(out, listed.row, listed.status, listed.updated_ms);
  out["last_event_id"] = relay::event_id(listed.row.runs, listed.row.last_seq);
  add_ending(out, listed.ended ? listed.row.done : "", listed.row);
  return out;
}

Value state_json(const relay::Stream& stream, const relay::StreamText& transcript) {
  Value out = Value::object();
  add_facts(out, stream.row(), stream.status(), stream.updated_ms());
  out["last_event_id"] = relay::event_id(stream.runs(), transcript.last_seq);
  out["text"] = transcript.text;
  out["reasoning"] = transcript.reasoning;
  out["tool_calls"] = Value::array();
  for (const auto& call : transcript.tool_calls) {
    out["tool_calls"].push_back(
        {{"index", call.index}, {"id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  add_ending(out, stream.ended() ? stream.row().done : "", stream.row());
  return out;
}

std::string resumed_json(const relay::Stream& stream, relay::Verdict verdict) {
  std::string out = "{\"stream\":";
  json::append_string(out, stream.id());
  out += ",\"verdict\":\"";
  out += relay::name_of(verdict);
  out += "\",\"status\":\"";
  out += stream.status();
  return out + "\"}";
}

metrics::Verdict metric_of(relay::Verdict verdict) {
  if (verdict == relay::Verdict::exact) return metrics::Verdict::exact;
  return verdict == relay::Verdict::reset ? metrics::Verdict::reset : metrics::Verdict::start;
}

}  // namespace tokenrelay::api
