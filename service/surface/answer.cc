#include "service/surface/answer.h"

#include <algorithm>

#include "service/api/await.h"
#include "service/api/sse_reader.h"
#include "service/api/whole_answer.h"
#include "service/relay/event_walk.h"
#include "service/relay/start_at.h"
#include "service/surface/answer_headers.h"

namespace tokenrelay::surface {
namespace {

using api::until;
using http::Answer;
using http::Request;
using SharePtr = api::WholeReads::SharePtr;

constexpr std::string_view stream_prefix = "strm_";

// The headers of every event stream; a profile's headers replace those of the same name.
http::HeaderList headers_of(const Profile& profile) {
  http::HeaderList headers = api::event_stream_headers();
  for (const auto& header : profile.headers) {
    const auto same =
        std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.first == header.first; });
    if (same == headers.end())
      headers.push_back(header);
    else
      same->second = header.second;
  }
  return headers;
}

http::HeaderList stream_headers(const relay::Stream& stream, Protocol protocol) {
  http::HeaderList headers = {{"Stream-Id", stream.id()}};
  add_answer_headers(headers, stream, protocol);
  return headers;
}

// Feeds an encoder the durable events one by one, up to `upto` or until it has written something that `wanted`
// keeps. False: the log cannot be read.
asio::awaitable<bool> feed(std::shared_ptr<relay::Stream> stream, Encoder& encoder, relay::Seq upto,
                           std::function<bool(std::string& out)> wanted) {
  std::string out;
  const relay::Visit append = [&](storage::Seq seq, storage::EventKind kind, std::string_view payload) {
    encoder.append(out, stream->runs(), seq, kind, payload);
    const bool found = wanted(out);
    out.clear();
    return !found;
  };
  co_return co_await until<bool>(
      [&](auto then) { relay::walk_events(stream, encoder.seq(), upto, append, std::move(then)); });
}

Answer follow(api::Api& api, Profile profile, std::shared_ptr<relay::Stream> stream, std::unique_ptr<Encoder> encoder,
              SharePtr share, std::string preface) {
  if (api.readers.closed()) return api::come_back_later(api, "shutdown");
  auto held = std::make_shared<std::unique_ptr<Encoder>>(std::move(encoder));
  return http::Takeover([&api, profile = std::move(profile), stream = std::move(stream), held, share = std::move(share),
                         preface = std::move(preface)](http::TakenConnection connection) {
    if (connection.log) connection.log(200);
    relay::StartAt start;
    start.after = (*held)->seq();
    api::ReaderOptions options;
    options.format = std::move(*held);
    options.preface = preface;
    options.heartbeat = profile.heartbeat;
    options.headers = headers_of(profile);
    options.tells_retry = false;
    options.share = share;
    auto reader = std::make_unique<api::SseReader>(api, stream, start, std::move(options), std::move(connection),
                                                   stream_headers(*stream, profile.protocol));
    api::SseReader& started = *reader;
    api.readers.keep(std::move(reader));
    started.start();
  });
}

http::Reply unreadable_reply(const Request& request) {
  return api::problem_of({relay::Errc::unreadable, "the log cannot be read"}, request);
}

Answer unreadable(const Request& request) {
  return unreadable_reply(request);
}

// Sends an error event in the client's protocol under status 200, then cuts the connection: what the client has
// received is not part of the stream.
Answer say_and_cut(api::Api& api, Profile profile, const std::shared_ptr<relay::Stream>& stream,
                   std::string error_event) {
  http::HeaderList headers = stream_headers(*stream, profile.protocol);
  return http::Takeover([&api, headers = std::move(headers), profile = std::move(profile),
                         error_event = std::move(error_event)](http::TakenConnection connection) {
    struct Silent final : http::StreamingBody::Owner {
      void on_room() override {}
      void on_gone() override {}
    } silent;
    if (connection.log) connection.log(200);
    http::StreamingBody::Options options;
    options.headers = headers_of(profile);
    for (const auto& header : headers) options.headers.push_back(header);
    options.write_stall_ms = api.settings().write_stall_ms;
    http::StreamingBody body(std::move(connection), std::move(options), silent);
    const std::string_view part = error_event;
    body.write({&part, 1});
    body.cut();
  });
}

std::string error_event(Protocol protocol, const Error& error, std::string_view request_id) {
  const bool named = protocol == Protocol::anthropic || protocol == Protocol::responses;
  return (named ? "event: error\ndata: " : "data: ") + error_json(protocol, error, request_id) + "\n\n";
}

}  // namespace

asio::awaitable<Answer> stream_answer(api::Api& api, const Request& request, Profile profile,
                                      api::StartedStream started, std::unique_ptr<Encoder> encoder) {
  const auto stream = started.stream;
  if (!started.cursor) {
    if (auto refused = co_await refusal_of(request, profile.protocol, stream)) co_return std::move(*refused);
    co_return follow(api, std::move(profile), stream, std::move(encoder), api.whole_reads.none(), "");
  }
  const auto start = relay::start_at(*stream, started.cursor, relay::AtEnd::end_again);
  if (start.verdict != relay::Verdict::exact) {
    if (profile.protocol == Protocol::ui) {
      co_return follow(api, std::move(profile), stream, std::move(encoder), api.whole_reads.none(), "");
    }
    const Error error{
        409, "unknown_cursor", "Last-Event-ID is no longer an event of this stream: discard what was received",
        "",  std::nullopt,     false};
    const auto event = error_event(profile.protocol, error, request.request_id);
    co_return say_and_cut(api, std::move(profile), stream, event);
  }
  // Events up to the cursor are encoded and discarded. At the terminal event it is sent again, because a 204 would not
  // stop every client.
  auto share = api.whole_reads.none();
  const std::function<bool(std::string&)> held_too_much = [&](std::string&) {
    return !share->grow_to(encoder->held_bytes());
  };
  const bool readable = co_await feed(stream, *encoder, start.after, held_too_much);
  if (!readable) co_return unreadable(request);
  if (encoder->seq() < start.after) co_return api::too_many_whole_reads(request);
  (void)encoder->take_excerpts();
  co_return follow(api, std::move(profile), stream, std::move(encoder), std::move(share), "");
}

asio::awaitable<Answer> resume_answer(api::Api& api, const Request& request, Profile profile,
                                      std::shared_ptr<relay::Stream> stream, std::unique_ptr<Encoder> encoder,
                                      std::optional<uint64_t> number, std::string field) {
  auto share = api.whole_reads.none();
  if (number) encoder->skip_to(*number);
  std::string first;
  bool over = false;
  const std::function<bool(std::string&)> found = [&](std::string& out) {
    first.swap(out);
    over = !share->grow_to(encoder->held_bytes() + first.size());
    return over || !first.empty();
  };
  while (first.empty() && encoder->seq() < stream->durable()) {
    const bool readable = co_await feed(stream, *encoder, stream->durable(), found);
    if (!readable) co_return unreadable(request);
    if (over) co_return api::too_many_whole_reads(request);
  }
  if (number && first.empty() && encoder->next_number() <= *number) {
    const Error error = invalid(std::move(field), "is greater than the number of this answer's last event");
    co_return error_reply(profile.protocol, error, request.request_id);
  }
  co_return follow(api, std::move(profile), stream, std::move(encoder), std::move(share), std::move(first));
}

asio::awaitable<std::optional<http::Reply>> read_transcript(const Request& request,
                                                            std::shared_ptr<relay::Stream> stream,
                                                            std::shared_ptr<Transcript> transcript, SharePtr share) {
  bool over = false;
  const relay::Visit add = [&](storage::Seq seq, storage::EventKind kind, std::string_view payload) {
    transcript->add(seq - 1, seq, kind, payload);
    over = !share->grow_to(api::gathered_twice(transcript->excerpts->held_bytes()));
    return !over;
  };
  const bool readable =
      co_await until<bool>([&](auto then) { relay::walk_events(stream, 0, relay::all_durable, add, std::move(then)); });
  if (over) co_return api::too_many_whole_reads(request);
  if (!readable) co_return unreadable_reply(request);
  co_return std::nullopt;
}

std::string id_with(std::string_view prefix, const relay::Stream& stream) {
  return std::string(prefix) + stream.id().substr(stream_prefix.size());
}

std::string stream_id_of(std::string_view id, std::string_view prefix) {
  for (const auto known : {prefix, stream_prefix}) {
    if (id.starts_with(known)) return std::string(stream_prefix) + std::string(id.substr(known.size()));
  }
  return {};
}

}  // namespace tokenrelay::surface
