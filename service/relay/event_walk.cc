#include "service/relay/event_walk.h"

#include <algorithm>
#include <utility>

#include "service/relay/stream.h"

namespace tokenrelay::relay {
namespace {

struct Walk : std::enable_shared_from_this<Walk> {
  std::shared_ptr<Stream> stream;
  storage::Seq at = 0, upto = 0;
  Visit visit;
  std::function<void(bool)> done;

  void next();
  bool take(const storage::Block& block);  // false: `visit` has seen enough
};

bool Walk::take(const storage::Block& block) {
  for (const auto& entry : block.entries) {
    if (entry.seq <= at) continue;
    if (entry.seq > std::min(upto, stream->durable())) break;
    at = entry.seq;
    if (!visit(entry.seq, entry.kind, block.payload(entry))) return false;
  }
  return true;
}

void Walk::next() {
  if (at >= std::min(upto, stream->durable())) return done(true);
  stream->read(at, [self = shared_from_this()](storage::Result<std::shared_ptr<const storage::Block>> block) {
    if (!block || (*block)->entries.empty()) return self->done(false);
    if (!self->take(**block)) return self->done(true);
    self->next();
  });
}

}  // namespace

void walk_events(const std::shared_ptr<Stream>& stream, storage::Seq after, storage::Seq upto, Visit visit,
                 std::function<void(bool readable)> done) {
  const auto walk = std::make_shared<Walk>();
  walk->stream = stream;
  walk->at = after;
  walk->upto = upto;
  walk->visit = std::move(visit);
  walk->done = std::move(done);
  walk->next();
}

}  // namespace tokenrelay::relay
