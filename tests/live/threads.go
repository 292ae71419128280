// SPDX-License-Identifier: Apache-2.0

// A Go process with PHP in it, as FrankenPHP is one: argument 1 MiB on PHP's heap, argument 2 MiB on Go's, neither given back. Says
// what each thinks of it.
package main

// #include <sapi/embed/php_embed.h>
// #include <stdlib.h>
// static long long eval(char *code)
// {
//     zval value;
//     return zend_eval_string(code, &value, "threads.go") == SUCCESS && Z_TYPE(value) == IS_LONG ? (long long)Z_LVAL(value) : -1;
// }
// static int start(void) { return php_embed_init(0, NULL); }
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"
)

var kept [][]byte

func main() {
	php, _ := strconv.Atoi(os.Args[1])
	mib, _ := strconv.Atoi(os.Args[2])
	runtime.LockOSThread() // PHP lives in this one
	if C.start() != 0 {
		os.Exit(2)
	}
	code := C.CString(fmt.Sprintf("(function () { ini_set('memory_limit', '96M'); "+
		"for ($i = 0; $i < %d; $i++) $GLOBALS['kept'][] = str_repeat(chr($i), 60000); return memory_get_usage(true); })()", php*18))
	real := int64(C.eval(code))
	C.free(unsafe.Pointer(code))
	for i := 0; i < mib; i++ {
		b := make([]byte, 1<<20)
		for at := 0; at < len(b); at += 4096 {
			b[at] = 1
		}
		kept = append(kept, b)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("{\"php\": %d, \"go_most\": %d}\nready\n", real, m.HeapSys+m.StackSys)
	time.Sleep(10 * time.Minute)
	runtime.KeepAlive(kept)
}
