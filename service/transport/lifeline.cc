#include "service/transport/lifeline.h"

namespace tokenrelay::transport {

Lifeline::~Lifeline() {
  for (Watch* watch = innermost_; watch; watch = watch->outer_) watch->line_ = nullptr;
}

Lifeline::Watch::Watch(Lifeline& line) : line_(&line), outer_(line.innermost_) {
  line.innermost_ = this;
}

Lifeline::Watch::~Watch() {
  if (line_) line_->innermost_ = outer_;
}

Alive::Mark Alive::mark() {
  if (!alive_) alive_ = std::make_shared<bool>(!ended_);
  return Mark(alive_);
}

void Alive::end() {
  ended_ = true;
  if (alive_) *alive_ = false;
}

}  // namespace tokenrelay::transport
