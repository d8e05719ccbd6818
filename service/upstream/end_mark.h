// EndMark: whether the model has said why it stopped, and whether more may still come (DIALECTS.md, Every upstream: the
// end of a body). Some servers give a reason with every chunk, so a reason alone ends nothing: content that follows
// takes it back.
#pragma once

#include <utility>

namespace tokenrelay::upstream {

class EndMark {
 public:
  // In the order of what was said; of one chunk, content before its reason.
  void content() {
    const bool first = !std::exchange(has_content_, true);
    if (!stopped_) return;
    stopped_ = false;
    lifted_ |= !first;  // a reason before any content was none yet
  }
  void reason() { stopped_ = true; }

  bool has_content() const { return has_content_; }
  bool stopped() const { return stopped_; }                             // the body's end completes the answer
  bool marked() const { return stopped_ && has_content_ && !lifted_; }  // and so does a while without more

 private:
  bool has_content_ = false, stopped_ = false, lifted_ = false;
};

}  // namespace tokenrelay::upstream
