#include "tests/onnx_elsewhere.h"

#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "tensor/file.h"
#include "tests/temporary_folder.h"

namespace fer::test {

namespace {

// NumPy's file of an array, version 1.0; images as [N,C,H,W].
std::string npy(const Tensor& images) {
  const Shape& x = images.shape();
  std::ostringstream head;
  head << "{'descr': '" << (images.dtype() == DType::u8 ? "|u1" : "<f4") << "', 'fortran_order': False, 'shape': ("
       << x[0] << "," << x[3] << "," << x[1] << "," << x[2] << ")}";
  std::string header = head.str();
  header.resize(128 - 10 - 1, ' ');
  std::string file = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(128 - 10) + '\0' + header + "\n";
  const auto size = static_cast<size_t>(size_of(images.dtype()));
  const char* elements = static_cast<const char*>(images.view().data);
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t c = 0; c < x[3]; ++c) {
      for (int64_t pixel = 0; pixel < x[1] * x[2]; ++pixel) {
        file.append(elements + static_cast<size_t>((n * x[1] * x[2] + pixel) * x[3] + c) * size, size);
      }
    }
  }
  return file;
}

}  // namespace

OnnxResults run_elsewhere(const std::map<std::string, OnnxRun>& runs) {
  const TemporaryFolder folder;
  for (const auto& [name, run] : runs) {
    write_file(folder / (name + ".onnx"), run.bytes);
    write_file(folder / (name + ".npy"), npy(run.input));
  }
  const char* python = std::getenv("FER_PYTHON");
  const std::string command = std::string(python == nullptr ? "python3" : python) +
                              " '" FER_SOURCE_DIR "/tests/onnx_results.py' '" + folder.path().string() + "' > '" +
                              (folder / "engine").string() + "' 2> '" + (folder / "errors").string() + "'";
  const int status = std::system(command.c_str());  // NOLINT(bugprone-command-processor): a test's own words
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  OnnxResults results;
  if (code == 77 || code == 127) {  // no engine, or no Python
    return results;
  }
  if (code != 0) {
    fail("onnx_results.py failed: ", read_file(folder / "errors"));
  }
  results.engine = read_file(folder / "engine");
  results.engine.erase(results.engine.find_last_not_of('\n') + 1);
  for (const auto& [name, run] : runs) {
    if (std::filesystem::exists(folder / (name + ".lacking"))) {
      results.lacking[name] = read_file(folder / (name + ".lacking"));
      continue;
    }
    const std::string bytes = read_file(folder / (name + ".result"));
    std::vector<float>& result = results.result[name];
    result.resize(bytes.size() / sizeof(float));
    std::memcpy(result.data(), bytes.data(), bytes.size());
  }
  return results;
}

}  // namespace fer::test
