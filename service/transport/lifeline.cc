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

}  // namespace tokenrelay::transport
