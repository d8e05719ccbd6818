#include "service/relay/conversation.h"

#include "service/json/parse.h"
#include "service/relay/event_walk.h"
#include "service/relay/stream.h"

namespace tokenrelay::relay {
namespace {

using storage::EventKind;

}  // namespace

void Conversation::add(EventKind kind, std::string_view payload) {
  if (kind == EventKind::text) {
    if (turns_.empty() || turns_.back().user) turns_.push_back({false, {}});
    turns_.back().text += payload;
  }
  if (kind != EventKind::steer) return;
  const auto steer = json::parse(payload);
  turns_.push_back({true, steer && steer->is_object() ? json::word(*steer, "content") : std::string()});
}

std::optional<upstream::ModelRequest> Conversation::request(std::string_view stored_request) const {
  const std::string_view own_text = upstream::member_of(stored_request, "own");
  auto own = own_text.empty() ? std::nullopt : upstream::read_own(own_text);
  auto stored =
      json::parse(own ? upstream::with_members(stored_request, {{"own", ""}}) : stored_request, json::deepest);
  if (!stored || !stored->is_object()) return std::nullopt;
  upstream::ModelRequest out;
  out.model = json::word(*stored, "model");
  if (const auto why = stored->find("untranslated"); why != stored->end()) {
    out.untranslated = upstream::UnsupportedField{json::word(*why, "field"), json::word(*why, "why")};
  } else if (!stored->contains("messages")) {
    return std::nullopt;
  } else {
    auto& messages = (*stored)["messages"];
    for (const auto& turn : turns_) {
      messages.push_back(json::Value{{"role", turn.user ? "user" : "assistant"}, {"content", turn.text}});
    }
    out.messages = json::dump(messages);
  }
  if (const auto it = stored->find("parameters"); it != stored->end()) out.parameters = json::dump(*it);
  if (own && append_turns(*own, turns_)) out.own = std::make_shared<const upstream::OwnRequest>(std::move(*own));
  return out;
}

uint64_t Conversation::text_bytes() const {
  uint64_t bytes = 0;
  for (const auto& turn : turns_) bytes += turn.text.size();
  return bytes;
}

namespace {

// What is read of a conversation, and then made of it on a worker.
struct Reading {
  std::shared_ptr<Stream> stream;
  std::shared_ptr<upstream::Provider> provider;
  std::string model, request_id, stored;
  Conversation conversation;
  std::optional<ContinuedRequest> made;
  std::function<void(std::optional<ContinuedRequest>)> done;

  void make() {
    auto request = conversation.request(stored);
    if (!request) return;
    request->model = model;
    request->request_id = request_id;
    made = ContinuedRequest{upstream::prepare(*provider, *request), conversation.text_bytes()};
    stored = std::string();
  }
};

void read_events(const std::shared_ptr<Reading>& reading, Seq upto) {
  const auto add = [reading](storage::Seq, EventKind kind, std::string_view payload) {
    reading->conversation.add(kind, payload);
    return true;
  };
  walk_events(reading->stream, 0, upto, add, [reading](bool readable) {
    if (!readable) return reading->done(std::nullopt);
    const size_t bytes = reading->stored.size() + reading->conversation.text_bytes();
    reading->stream->context().worker.run_if_large(
        bytes, [reading] { reading->make(); }, [reading] { reading->done(std::move(reading->made)); });
  });
}

}  // namespace

void read_conversation(const std::shared_ptr<Stream>& stream, const Route& route, const std::string& request_id,
                       std::function<void(std::optional<ContinuedRequest>)> done) {
  const auto reading = std::make_shared<Reading>();
  reading->stream = stream;
  reading->provider = route.upstream->provider;
  reading->model = route.model;
  reading->request_id = request_id;
  reading->done = std::move(done);
  const auto upto = stream->durable();
  stream->context().log.request(stream->row().key, [reading, upto](storage::Result<std::string> stored) {
    if (!stored) return reading->done(std::nullopt);
    reading->stored = std::move(*stored);
    read_events(reading, upto);
  });
}

}  // namespace tokenrelay::relay
