/* GPUs for tests, as libnvidia-ml.so.1: two, or as many as STUB_GPUS is defined as, called
   STUB_NAME and with STUB_GIB of memory. Behaviour by environment: STUB_TEMPERATURE sets the
   temperature, STUB_LOST=1 loses the second GPU. Functions that are absent here are "Function Not
   Found" to the binding, as with an old driver. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#ifndef STUB_GPUS
#define STUB_GPUS 2
#define STUB_NAME "Stub GPU %d"
#define STUB_GIB 24
#endif

enum { SUCCESS = 0, NOT_SUPPORTED = 3, GPU_IS_LOST = 15 };
typedef struct { int ordinal; } device_t;
typedef struct { unsigned long long total, free, used; } memory_t;
static device_t devices[8] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}};

int nvmlInit_v2(void) { return SUCCESS; }
int nvmlInitWithFlags(unsigned flags) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) {
  return code == GPU_IS_LOST ? "GPU is lost" : code == NOT_SUPPORTED ? "Not Supported" : "Error";
}
int nvmlDeviceGetCount_v2(unsigned *count) { *count = STUB_GPUS; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t **device) {
  if (index == 1 && getenv("STUB_LOST")) return GPU_IS_LOST;
  *device = &devices[index];
  return SUCCESS;
}
int nvmlDeviceGetName(device_t *device, char *name, unsigned length) {
  snprintf(name, length, STUB_NAME, device->ordinal);
  return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *memory) {
  memory->total = (unsigned long long)STUB_GIB << 30;
  memory->used = 1ULL << 30;
  memory->free = memory->total - memory->used;
  return SUCCESS;
}
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
  snprintf(version, length, "550.54.15");
  return SUCCESS;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 12040; return SUCCESS; }
int nvmlDeviceGetCudaComputeCapability(device_t *device, int *major, int *minor) {
  *major = 8; *minor = 9;
  return SUCCESS;
}
int nvmlDeviceGetTemperature(device_t *device, int sensor, unsigned *celsius) {
  const char *set = getenv("STUB_TEMPERATURE");
  *celsius = set ? (unsigned)atoi(set) : 40;
  return SUCCESS;
}
int nvmlDeviceGetTotalEccErrors(device_t *device, int type, int counter, unsigned long long *n) {
  return NOT_SUPPORTED;
}
