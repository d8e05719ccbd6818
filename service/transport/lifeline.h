// The guards against an object's destruction inside a callback of its own.
//
// Lifeline, for code on the stack: a watch says, after a callback, whether the object it runs in is still there.
//   Lifeline::Watch watch(line_);
//   handler_.on_text(delta);         // may destroy this
//   if (watch.gone()) return false;  // touch nothing
//
// Alive, for callbacks that come later: a mark goes with each and says whether to go on.
//   loop.post([this, here = alive_.mark()] { if (here) go_on(); });
//
// Threads: the loop's. Cost: a watch is two stores; a mark is a copy of a shared pointer, made at the first.
#pragma once

#include <memory>
#include <utility>

namespace tokenrelay::transport {

class Lifeline {
 public:
  class Watch {
   public:
    explicit Watch(Lifeline& line);
    ~Watch();
    Watch(const Watch&) = delete;
    bool gone() const { return line_ == nullptr; }

   private:
    friend class Lifeline;
    Lifeline* line_;
    Watch* const outer_;
  };

  Lifeline() = default;
  Lifeline(const Lifeline&) = delete;
  ~Lifeline();

 private:
  Watch* innermost_ = nullptr;
};

class Alive {
 public:
  class Mark {
   public:
    explicit operator bool() const { return *alive_; }

   private:
    friend class Alive;
    explicit Mark(std::shared_ptr<const bool> alive) : alive_(std::move(alive)) {}
    std::shared_ptr<const bool> alive_;
  };

  Alive() = default;
  Alive(const Alive&) = delete;
  ~Alive() { end(); }

  Mark mark();
  void end();  // before the object goes: its marks are false from now on, later ones too

 private:
  std::shared_ptr<bool> alive_;
  bool ended_ = false;
};

}  // namespace tokenrelay::transport
