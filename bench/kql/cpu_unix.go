//go:build unix

package main

import "syscall"

// cpu is the processor time of this process so far, in milliseconds: on a machine that does other work too, it tells
// more than the clock.
func cpu() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}
