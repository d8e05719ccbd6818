// Lifeline: tells code on the stack whether the object it runs in was destroyed by a callback.
#pragma once

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

}  // namespace tokenrelay::transport
