import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # jobs.py, which the processes of test_workers.py import as well
