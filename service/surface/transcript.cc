#include "service/surface/transcript.h"

#include "service/json/exact.h"
#include "service/json/write.h"
#include "service/relay/event_codec.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;

std::optional<uint64_t> count(const json::Value& object, std::string_view name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_number_unsigned()) return std::nullopt;
  return it->get<uint64_t>();
}

json::Value object_of(std::string_view payload) {
  auto value = json::parse(payload);
  return value && value->is_object() ? std::move(*value) : json::Value::object();
}

}  // namespace

Done read_done(std::string_view payload) {
  const auto value = object_of(payload);
  Done done;
  done.status = json::word(value, "status");
  done.finish_reason = json::word(value, "finish_reason");
  done.finish_reason_raw = json::word(value, "finish_reason_raw");
  done.stop_sequence = json::word(value, "stop_sequence");
  if (const auto usage = value.find("usage"); usage != value.end() && usage->is_object()) {
    done.usage.input_tokens = count(*usage, "input_tokens");
    done.usage.output_tokens = count(*usage, "output_tokens");
    for (const auto& [name, part] : upstream::usage_details) done.usage.*part = count(*usage, name);
  }
  if (const auto error = value.find("error"); error != value.end() && error->is_object()) {
    done.error =
        relay::StreamError{json::word(*error, "code"), json::word(*error, "message"), error->value("retryable", false)};
  }
  return done;
}

void Transcript::grow(Item& item, const relay::Excerpt& events, std::string_view piece) {
  const bool held = !excerpts || (keeps_arguments && item.kind == Item::Kind::tool_call);
  if (!held) return excerpts->append(item.text, item.place, events, piece);
  item.text += piece;
  if (excerpts) excerpts->hold(piece.size());
}

void Transcript::add_own(storage::Seq after, storage::Seq seq, EventKind kind, std::string_view payload) {
  const OwnReplay::Step step = own->take(kind, payload);
  if (keeps_own && (step != OwnReplay::Step::event || !keeps_own(own->json()))) return;
  if (step == OwnReplay::Step::event) {
    own_parts.push_back({own->json(), 0, {}, 0, {}});
    if (excerpts) excerpts->hold(own_parts.back().json.size());
  }
  if (step != OwnReplay::Step::delta) return;
  if (own_parts.empty() || own_parts.back().shape != own->shape()) {
    own_parts.push_back({own->delta_json({}), own->hole(), {}, own->shape(), {}});
    if (excerpts) excerpts->hold(own_parts.back().json.size());
  }
  OwnPart& part = own_parts.back();
  const bool held = !excerpts || (keeps_arguments && kind == EventKind::tool_call);
  if (!held) return excerpts->append(part.text, part.place, {after, seq, kind, own->call()}, own->said());
  part.text += own->said();
  if (excerpts) excerpts->hold(own->said().size());
}

void Transcript::each_own(const std::function<void(json::Value event)>& take) const {
  for (const OwnPart& part : own_parts) {
    std::string text = part.json;
    if (part.hole > 0) {
      std::string said;
      json::append_string(said, part.text);
      text.replace(part.hole - 1, 2, said);
    }
    if (auto event = json::parse_exact(text)) take(std::move(*event));
  }
}

void Transcript::add(storage::Seq after, storage::Seq seq, EventKind kind, std::string_view payload) {
  if (own) add_own(after, seq, kind, payload);
  const auto piece = kind == EventKind::tool_call ? relay::decode_tool_call(payload) : std::nullopt;
  const auto grows = [&](Item::Kind as) { return !items.empty() && items.back().kind == as; };
  switch (kind) {
    case EventKind::start:
      start = object_of(payload);
      return;
    case EventKind::text:
    case EventKind::reasoning: {
      const auto as = kind == EventKind::text ? Item::Kind::text : Item::Kind::reasoning;
      if (!grows(as)) items.push_back({as, {}, 0, {}, {}, {}, false});
      grow(items.back(), {after, seq, kind, 0}, payload);
      return;
    }
    case EventKind::tool_call:
      if (!piece) return;
      for (auto item = items.rbegin(); item != items.rend(); ++item) {  // pieces of several calls may be interleaved
        if (item->kind != Item::Kind::tool_call || item->index != piece->index) continue;
        return grow(*item, {after, seq, kind, piece->index}, piece->arguments);
      }
      items.push_back(
          {Item::Kind::tool_call, {}, piece->index, std::string(piece->id), std::string(piece->name), {}, false});
      if (excerpts) excerpts->hold(piece->id.size() + piece->name.size());
      return grow(items.back(), {after, seq, kind, piece->index}, piece->arguments);
    case EventKind::opaque:
      items.push_back({Item::Kind::opaque, {}, 0, {}, {}, object_of(payload), false});
      if (excerpts) excerpts->hold(payload.size());
      return;
    case EventKind::done:
      done = read_done(payload);
      return;
    case EventKind::steer:
      for (auto& item : items) {
        const bool of_call = item.kind == Item::Kind::opaque && item.opaque.contains("index");
        item.voided |= of_call || item.kind == Item::Kind::tool_call;
      }
      return;
    case EventKind::upstream:
    case EventKind::own:
      return;
  }
}

std::string Transcript::text() const {
  std::string out;
  for (const auto& item : items) {
    if (item.kind == Item::Kind::text) out += item.text;
  }
  return out;
}

std::string Transcript::reasoning() const {
  std::string out;
  for (const auto& item : items) {
    if (item.kind == Item::Kind::reasoning) out += item.text;
  }
  return out;
}

}  // namespace tokenrelay::surface
