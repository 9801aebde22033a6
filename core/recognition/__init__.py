"""From images to answers: the pipeline, jobs, turns, results and reports."""
