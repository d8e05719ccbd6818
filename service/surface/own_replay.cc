#include "service/surface/own_replay.h"

#include <algorithm>
#include <utility>

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/relay/event_codec.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::surface {

using storage::EventKind;
using upstream::OwnEvent;
using Step = OwnReplay::Step;

bool is_own_start(std::string_view payload, std::string_view kind) {
  bool marked = false, at_home = false;
  std::string scratch;
  json::Reader in(payload, scratch);
  in.object([&](std::string_view key) {
    if (key == "own") {
      marked = in.boolean();
    } else if (key == "provider") {
      at_home = in.string() == kind;
    }
  });
  return marked && at_home;
}

bool is_event_name(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

Step OwnReplay::take(EventKind kind, std::string_view payload) {
  if (kind == EventKind::start) {
    state_ = is_own_start(payload, kind_) ? State::undecided : State::translated;
    return state_ == State::undecided ? Step::skip : Step::translate;
  }
  if (kind == EventKind::own) return take_own(payload);
  if (kind == EventKind::upstream) {
    pieces_.clear();  // of an event that is sent again
    return state_ == State::undecided || state_ == State::own ? Step::skip : Step::translate;
  }
  if (state_ == State::undecided) {
    state_ = State::translated;
    return Step::begin;
  }
  if (state_ != State::own || kind == EventKind::done) return Step::translate;
  if (kind == EventKind::steer) {
    state_ = State::over;
    return Step::translate;
  }
  return take_neutral(kind, payload);
}

void OwnReplay::serve(std::vector<std::string_view> path, const std::string& id) {
  path_ = std::move(path);
  id_.clear();
  json::append_string(id_, id);
}

OwnReplay::Span OwnReplay::served_span(std::string_view json) const {
  std::string_view value = json;
  for (const auto member : path_) value = upstream::member_of(value, member);
  if (path_.empty() || !value.starts_with('"')) return {};
  return {static_cast<size_t>(value.data() - json.data()), value.size()};
}

void OwnReplay::serve_event() {
  if (const Span span = served_span(json_); span.size > 0) json_.replace(span.at, span.size, id_);
}

void OwnReplay::serve_shape() {
  const Span span = served_span(before_ + after_);
  if (span.size == 0) return;
  if (span.at + span.size < before_.size()) {
    before_.replace(span.at, span.size, id_);
  } else if (span.at > before_.size()) {
    after_.replace(span.at - before_.size(), span.size, id_);
  }
}

Step OwnReplay::take_own(std::string_view payload) {
  const auto event = upstream::decode_own(payload);
  if (!event || state_ == State::over || state_ == State::translated) return Step::skip;
  state_ = State::own;
  switch (event->op) {
    case OwnEvent::Op::piece:
      pieces_ += event->json;
      return Step::skip;
    case OwnEvent::Op::event:
      voice_.reset();
      json_ = std::exchange(pieces_, {});
      json_ += event->json;
      serve_event();
      return Step::event;
    case OwnEvent::Op::shape:
      voice_.reset();
      if (!event->before.ends_with('"') || !event->after.starts_with('"')) return Step::skip;  // a damaged log
      voice_ = event->voice;
      call_ = event->call;
      before_ = event->before;
      after_ = event->after;
      serve_shape();
      ++shapes_;
      return Step::skip;
  }
  return Step::skip;
}

Step OwnReplay::take_neutral(EventKind kind, std::string_view payload) {
  using Voice = OwnEvent::Voice;
  std::string_view said = payload;
  Voice voice = Voice::text;
  if (kind == EventKind::reasoning) voice = Voice::reasoning;
  if (kind == EventKind::tool_call) {
    const auto piece = relay::decode_tool_call(payload);
    if (!piece || piece->index != call_) return Step::skip;
    voice = Voice::tool_call;
    said = piece->arguments;
  }
  if (voice_ != voice || said.empty() || kind == EventKind::opaque) return Step::skip;
  said_ = said;
  json_ = delta_json(said);
  return Step::delta;
}

std::string OwnReplay::delta_json(std::string_view said) const {
  std::string json;
  json.reserve(before_.size() + said.size() + after_.size());
  json += before_;
  json.pop_back();  // the opening quote, which append_string writes
  json::append_string(json, said);
  return json += std::string_view(after_).substr(1);
}

}  // namespace tokenrelay::surface
