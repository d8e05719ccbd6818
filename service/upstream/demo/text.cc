#include "service/upstream/demo/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "service/json/parse.h"
#include "service/json/utf8.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_prompt_bytes = 2048;
constexpr size_t max_piece_bytes = 7;

// FNV-1a: the choice of words depends on the prompt alone.
uint64_t hash_of(std::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211ull;
  return hash;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  size_t at = 0;
  while ((at = text.find_first_not_of(" \t\r\n", at)) != text.npos) {
    const size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string_view longest_of(const std::vector<std::string_view>& words) {
  std::string_view longest = "silence";
  for (const std::string_view word : words) {
    if (&word == &words.front() || word.size() > longest.size()) longest = word;
  }
  return longest.substr(0, json::utf8_prefix(longest, 40));
}

std::string quoted_start(std::string_view prompt) {
  std::string quote;
  for (const std::string_view word : words_of(prompt)) {
    if (quote.size() + word.size() > 80) {
      quote += quote.empty() ? std::string(word.substr(0, json::utf8_prefix(word, 80))) : " …";
      break;
    }
    if (!quote.empty()) quote += ' ';
    quote += word;
  }
  return quote;
}

// Each row is one sentence in several wordings.
using Wordings = std::array<std::string_view, 3>;
constexpr std::array<Wordings, 9> sentences = {{
    {"Let me take it slowly, the way an answer grows: one small piece after another, each of them kept before it is "
     "shown.",
     "I will take my time with it, because the point of a stream is that you can watch the thought arrive piece by "
     "piece.",
     "There is no hurry: I send a few letters at a time, and each piece is on disk before you can read it."},
    {"Think of a river — it never asks who is watching, and it does not start again when you look away.",
     "Picture a letter read aloud over a bad telephone line — what matters is that no word is said twice and none is "
     "lost.",
     "Imagine a train of small wagons — each one numbered, each one coupled to the one before it."},
    {"If your connection drops now, nothing is lost: come back with the number of the last piece you saw, and the next "
     "one follows.",
     "Close this page in the middle of the sentence and open it again: the sentence will go on where it stopped.",
     "Pull out the cable, count to ten, and plug it in again: the rest will be waiting, in order and only once."},
    {"A careful reader keeps one thing only, and that is the place where the reading stopped.",
     "All that a reader has to remember is a single bookmark.",
     "The whole trick is to know exactly how far we had come."},
    {"That is why every piece carries an identity of its own, and why the log comes first and the screen second.",
     "So the order of things is always the same: write it down, make it safe, and only then say it.",
     "Hence the rule of this house: durable before visible."},
    {"I am not a real model, to be honest, only a demonstration with a modest vocabulary and good manners 🙂.",
     "You may have guessed it: I am a small built-in voice, and I have read no books at all 📚.",
     "I should admit that there is no great mind here, just a few patient sentences and a clock 🕰️."},
    {"A real one would now reason about your question; I can only admire how it is put.",
     "A real one would know the facts; I know your words, and I like them.",
     "A real one would give you an answer; I give you something to watch while you try the relay out."},
    {"Connect one with a single flag, and this page, the terminal and every client stay just as they are.",
     "Name an upstream when you start the relay, and its words will flow through the same pipe.",
     "Point the relay at any server that speaks a known dialect, and it takes my place at once."},
    {"Until then I will be here, telling the same story to whoever asks the same question — naïve, perhaps, but "
     "dependable ✨.",
     "Ask me the same thing tomorrow and you will hear the same words — that is a café conversation one can rely on ☕.",
     "Everything I say depends on your prompt alone — the same question brings the same reply, déjà vu included 🔁."},
}};

std::string opening(std::string_view prompt) {
  const auto words = words_of(prompt);
  if (words.empty()) return "You sent me an empty page, which is a fine place to begin.";
  std::string text = "You wrote: “" + quoted_start(prompt) + "”. That is ";
  text += words.size() == 1 ? std::string("a single word") : std::to_string(words.size()) + " words";
  text += ", and the one that stands out to me is “" + std::string(longest_of(words)) + "”.";
  return text;
}

}  // namespace

std::string last_user_text(std::string_view messages) {
  const auto list = json::parse(messages);
  std::string text;
  if (!list || !list->is_array()) return text;
  for (auto message = list->rbegin(); message != list->rend(); ++message) {
    if (!message->is_object() || message->value("role", json::Value()) != "user") continue;
    const json::Value content = message->value("content", json::Value());
    if (content.is_string()) text = content.get<std::string>();
    if (content.is_array()) {
      for (const auto& part : content) {
        if (part.is_object() && part.contains("text") && part["text"].is_string())
          text += part["text"].get<std::string>();
      }
    }
    break;
  }
  text.resize(json::utf8_prefix(text, max_prompt_bytes));
  return text;
}

std::vector<std::string> token_pieces(std::string_view text) {
  std::vector<std::string> pieces;
  size_t at = 0;
  while (at < text.size()) {
    size_t end = std::min(text.find_first_not_of(" \n", at), text.size());
    end = std::min(text.find_first_of(" \n", end), text.size());
    std::string_view word = text.substr(at, end - at);
    while (word.size() > max_piece_bytes + 3) {
      const size_t cut = json::utf8_prefix(word, max_piece_bytes);
      pieces.emplace_back(word.substr(0, cut));
      word.remove_prefix(cut);
    }
    pieces.emplace_back(word);
    at = end;
  }
  return pieces;
}

std::vector<std::string> demo_answer(std::string_view prompt) {
  uint64_t choice = hash_of(prompt);
  std::string text = opening(prompt);
  for (size_t i = 0; i < sentences.size(); ++i) {
    text += i % 3 == 0 ? "\n\n" : " ";
    text += sentences[i][choice % sentences[i].size()];
    choice = choice / sentences[i].size() + hash_of(sentences[i][0]);
  }
  return token_pieces(text);
}

size_t count_words(std::string_view text) {
  return words_of(text).size();
}

}  // namespace tokenrelay::upstream
