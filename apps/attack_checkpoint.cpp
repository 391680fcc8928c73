#include "apps/attack_checkpoint.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "tensor/safetensors.h"

namespace fer {

namespace {

std::string name_of(size_t state, size_t result) { return std::to_string(state) + "." + std::to_string(result) + "."; }

}  // namespace

void append_results(AttackState& state, std::vector<AttackResult> next) {
  state.done += next.front().attacked.shape()[0];
  if (state.results.empty()) {
    state.results = std::move(next);
    return;
  }
  for (size_t i = 0; i < next.size(); ++i) {
    AttackResult& all = state.results[i];
    Tensor joined(DType::f32, all.attacked.shape().with(0, state.done));
    std::copy_n(all.attacked.data<float>(), all.attacked.size(), joined.data<float>());
    std::copy_n(next[i].attacked.data<float>(), next[i].attacked.size(), joined.data<float>() + all.attacked.size());
    all.attacked = joined;
    all.success.insert(all.success.end(), next[i].success.begin(), next[i].success.end());
    all.queries.insert(all.queries.end(), next[i].queries.begin(), next[i].queries.end());
  }
}

void write_attack_checkpoint(const std::filesystem::path& path, const std::string& key,
                             const std::vector<AttackState>& states) {
  TensorFile file;
  nlohmann::json progress = nlohmann::json::array();
  for (size_t s = 0; s < states.size(); ++s) {
    progress.push_back({{"seconds", states[s].seconds}, {"results", states[s].results.size()}});
    for (size_t r = 0; r < states[s].results.size(); ++r) {
      const AttackResult& result = states[s].results[r];
      const Shape count{states[s].done};
      file.tensors[name_of(s, r) + "attacked"] = result.attacked;
      file.tensors[name_of(s, r) + "success"] = Tensor::from<uint8_t>(count, result.success.data());
      file.tensors[name_of(s, r) + "queries"] = Tensor::from<int64_t>(count, result.queries.data());
    }
  }
  file.metadata = {{"key", key}, {"progress", progress.dump()}};
  write_safetensors(path, file);
}

std::vector<AttackState> read_attack_checkpoint(const std::filesystem::path& path, const std::string& key) {
  const TensorFile file = read_safetensors(path);
  const auto found = file.metadata.find("key");
  if (found == file.metadata.end() || found->second != key) {
    fail("--resume: ", path.string(), " belongs to other attacks, another network or other data");
  }
  std::vector<AttackState> states;
  for (const auto& one : nlohmann::json::parse(file.metadata.at("progress"))) {
    AttackState state;
    one.at("seconds").get_to(state.seconds);
    for (size_t r = 0; r < one.at("results").get<size_t>(); ++r) {
      const auto tensor = [&](const char* what) { return file.at(name_of(states.size(), r) + what); };
      const View<uint8_t> success = tensor("success").as<uint8_t>();
      const View<int64_t> queries = tensor("queries").as<int64_t>();
      state.results.push_back(
          {tensor("attacked").clone(), {success.begin(), success.end()}, {queries.begin(), queries.end()}});
      state.done = state.results.back().attacked.shape()[0];
    }
    states.push_back(std::move(state));
  }
  return states;
}

}  // namespace fer
