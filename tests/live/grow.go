// SPDX-License-Identifier: Apache-2.0

// A Go process that keeps a part of what it makes: argument 1 bytes a second for ever, four times as much as garbage.
package main

import (
	"os"
	"strconv"
	"time"
)

type entry struct {
	next *entry
	text []byte
}

var kept, garbage *entry

func main() {
	rate, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(2)
	}
	os.Stdout.WriteString("ready\n")
	const each = 4096
	for i := 0; ; i++ {
		time.Sleep(20 * time.Millisecond)
		for bytes := 0; bytes < rate/50; bytes += each {
			kept = &entry{kept, fill(each)}
			for g := 0; g < 4; g++ {
				garbage = &entry{nil, fill(each)}
			}
		}
	}
}

func fill(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}
