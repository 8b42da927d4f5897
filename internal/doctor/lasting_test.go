package doctor_test

import "github.com/agentkeys/agentkeys/internal/doctor"

func inMemory(f *doctor.Facts) {
	f.Slot.Volatile = "/run/h lies on tmpfs at /run: what is kept there is gone after a reboot"
}

func noDirSync(f *doctor.Facts) { f.Slot.NoSync = "vboxsf at /media/sf" }
