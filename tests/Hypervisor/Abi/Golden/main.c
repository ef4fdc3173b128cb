#include "golden.h"

int main(void)
{
    golden_start();
    golden_cpu();
    golden_memory();
    golden_events();
    golden_grants();
    golden_devices();
    golden_control();
    return 0;
}
