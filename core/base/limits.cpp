#include "core/base/limits.hpp"

namespace certcast {

void Limits::encode(wire::Writer& out) const {
    out.u64(memory);
    out.i64(cpu.count());
    out.u64(files);
    out.u64(processes);
    out.u64(output);
    out.u64(file_size);
}

Limits Limits::read(wire::Reader& in) {
    Limits limits;
    limits.memory = in.u64();
    limits.cpu = Duration(in.i64());
    limits.files = in.u64();
    limits.processes = in.u64();
    limits.output = in.u64();
    limits.file_size = in.u64();
    return limits;
}

}  // namespace certcast
