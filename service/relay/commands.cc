#include "service/relay/commands.h"

#include "service/relay/stream.h"

namespace tokenrelay::relay {

void cancel(Stream& stream, CommandDone<Cancelled> done) {
  const int64_t from_us = stream.context().loop.clock().mono_us();
  const bool closed = stream.cancel();
  Cancelled outcome;
  if (closed) {
    const int64_t took_us = stream.context().loop.clock().mono_us() - from_us;
    outcome.upstream_closed_ms = static_cast<double>(took_us) / 1000;
    stream.context().metrics.cancel_closed(static_cast<double>(took_us) / 1e6);
  }
  stream.when_ended([outcome, done = std::move(done)](bool durable) {
    if (!durable) return done(tl::make_unexpected(Refusal::log_unavailable));
    done(outcome);
  });
}

void steer(Stream& stream, std::string_view content, CommandDone<Steered> done) {
  const auto appended = stream.steer(content);
  if (!appended) return done(tl::make_unexpected(appended.error()));
  stream.when_durable(*appended, [seq = *appended, done = std::move(done)](bool durable) {
    if (!durable) return done(tl::make_unexpected(Refusal::log_unavailable));
    done(Steered{seq});
  });
}

}  // namespace tokenrelay::relay
