package main

import (
	"log/slog"

	"github.com/agentkeys/agentkeys/internal/settings"
	"github.com/agentkeys/agentkeys/internal/stdio"
)

// logger writes to standard error as the settings say. The level may change later.
func (p *program) logger(set settings.Settings) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(levelOf(set.LogLevel))
	options := &slog.HandlerOptions{Level: level}
	if set.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, options)), level
	}
	return slog.New(slog.NewTextHandler(p.stderr, options)), level
}

// queueLog lets writes to standard error return at once, until the returned function has written what
// is queued.
func (p *program) queueLog() (end func()) {
	behind := p.stderr
	log := stdio.NewLog(behind)
	p.stderr = log
	return func() {
		log.Close()
		p.stderr = behind
	}
}

// quietLogger is for commands whose output a person or a script reads. It logs only what is wrong,
// unless the log level is debug.
func (p *program) quietLogger(set settings.Settings) *slog.Logger {
	log, level := p.logger(set)
	if level.Level() == slog.LevelInfo {
		level.Set(slog.LevelWarn)
	}
	return log
}

func levelOf(text string) slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(text)) != nil {
		return slog.LevelInfo // settings allow no other text
	}
	return level
}
